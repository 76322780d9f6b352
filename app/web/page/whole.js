/**
 * Sees that the page has come whole, for main.js cannot. A browser drops what it is fetching when its network changes, as
 * when a laptop wakes or a VPN comes up, and without one of its modules the page would stay empty.
 */

const PAUSE_MS = 1_000;

addEventListener("load", () => {
  const loading = document.getElementById("loading");
  if (!loading) return;
  const [navigation] = performance.getEntriesByType("navigation");
  if (navigation.type === "reload") loading.classList.remove("late");
  else setTimeout(() => location.reload(), PAUSE_MS);
});
