/** Building elements. No markup is ever parsed, so that a file's name stays text. */

/**
 * @param {string} tag
 * @param {object} [props] `class`, `on` (listeners by event), attributes with a dash or `role`/`for`, properties else
 * @param {...(Node | string | null)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") listen(element, value);
    else if (name === "class") element.className = value;
    else if (name.includes("-") || !(name in element)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} label @param {() => void} pressed @param {object} [props] */
export function button(label, pressed, props = {}) {
  return h("button", { type: "button", on: { click: pressed }, ...props }, label);
}

/** @param {string} id */
export function byId(id) {
  return document.getElementById(id);
}

/** Tell those who cannot see it. @param {string} text */
export function announce(text) {
  byId("status").textContent = text;
}

/** Set a text only where it changed, so that nothing is laid out or read aloud for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Run `draw` once in the next frame, however often it is asked for.
 *
 * @param {() => void} draw
 * @returns {() => void}
 */
export function oncePerFrame(draw) {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
}

function listen(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) element.addEventListener(event, listener);
}
