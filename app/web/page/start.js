/**
 * Loads the page. A browser drops what it is fetching when its network changes, as when a laptop wakes or a VPN comes
 * up, and without one of its modules the page would stay empty.
 */

const PAUSE_MS = 1_000;

try {
  await import("./main.js");
} catch (error) {
  const [navigation] = performance.getEntriesByType("navigation");
  if (navigation.type !== "reload") setTimeout(() => location.reload(), PAUSE_MS);
  else document.getElementById("loading")?.classList.remove("late");
  throw error;
}
