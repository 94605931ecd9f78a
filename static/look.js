// Theme and language of the page before anything is drawn, so that nothing flashes. Runs before the
// modules; what is chosen later is preferences.js's.
{
  const root = document.documentElement;
  /** @param {string} name */
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      // The browser keeps nothing for pages here.
      return null;
    }
  };
  const theme = kept("zombie.theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = kept("zombie.language") ?? navigator.language.slice(0, 2);
  root.lang = language === "bn" ? "bn" : "en";
}
