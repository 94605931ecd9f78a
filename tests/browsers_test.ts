import assert from "node:assert/strict";
import {
  browserPaths,
  type DesktopPlaces,
  hasDesktop,
  isLocalUser,
  openers,
} from "../src/host/desktop/browsers.ts";

const LINUX: DesktopPlaces = {
  env: { PATH: "/opt/a b:.::relative:/usr/bin:/usr/bin" },
  homeDir: "/home/u",
  os: "linux",
};
const MAC: DesktopPlaces = { env: { PATH: "/usr/bin" }, homeDir: "/Users/রহিম", os: "darwin" };
const WINDOWS: DesktopPlaces = {
  env: {
    "ProgramFiles": "C:\\Program Files",
    "ProgramFiles(x86)": "C:\\Program Files (x86)",
    "LOCALAPPDATA": "C:\\Users\\রহিম\\AppData\\Local",
    "SystemRoot": "D:\\Windows",
  },
  homeDir: "C:\\Users\\রহিম",
  os: "windows",
};
const ADDRESS = "http://127.0.0.1:8001/";

Deno.test("browserPaths() names absolute paths alone, the usual browser of each name and place", () => {
  const linux = browserPaths(LINUX);
  assert.deepEqual(linux.slice(0, 3), [
    "/opt/a b/chromium",
    "/usr/bin/chromium",
    "/opt/a b/chromium-browser",
  ]);
  assert.deepEqual(linux.at(-1), "/usr/bin/microsoft-edge");
  assert.equal(linux.length, 12);
  assert.deepEqual(browserPaths({ ...LINUX, env: {} }), []);

  assert.deepEqual(browserPaths(MAC).slice(0, 2), [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Users/রহিম/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ]);
  assert.equal(browserPaths({ ...MAC, homeDir: null }).length, 3);

  const windows = browserPaths(WINDOWS);
  assert.equal(windows[0], "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe");
  assert.equal(
    windows.at(-1),
    "C:\\Users\\রহিম\\AppData\\Local\\Microsoft\\Edge\\Application\\msedge.exe",
  );
  assert.deepEqual(browserPaths({ ...WINDOWS, env: { ProgramFiles: "relative" } }), []);
});

Deno.test("openers() hand the address over as one argument, to programs by their full paths", () => {
  assert.deepEqual(openers(ADDRESS, LINUX), [
    ["/opt/a b/xdg-open", ADDRESS],
    ["/usr/bin/xdg-open", ADDRESS],
    ["/opt/a b/gio", "open", ADDRESS],
    ["/usr/bin/gio", "open", ADDRESS],
    ["/opt/a b/x-www-browser", ADDRESS],
    ["/usr/bin/x-www-browser", ADDRESS],
  ]);
  assert.deepEqual(openers(ADDRESS, MAC), [["/usr/bin/open", ADDRESS]]);
  assert.deepEqual(openers(ADDRESS, WINDOWS), [
    ["D:\\Windows\\System32\\rundll32.exe", "url.dll,FileProtocolHandler", ADDRESS],
  ]);
});

Deno.test("hasDesktop() and isLocalUser() tell where something opened by itself is seen by who started us", () => {
  const table: [os: string, env: Record<string, string>, there: boolean, local: boolean][] = [
    ["linux", {}, false, true],
    ["linux", { DISPLAY: "", WAYLAND_DISPLAY: "" }, false, true],
    ["linux", { DISPLAY: ":0" }, true, true],
    ["linux", { WAYLAND_DISPLAY: "wayland-0" }, true, true],
    ["linux", { DISPLAY: "localhost:10.0", SSH_CONNECTION: "a 1 b 22" }, true, false],
    ["freebsd", { DISPLAY: ":0" }, true, true],
    ["darwin", {}, true, true],
    ["darwin", { SSH_TTY: "/dev/ttys001" }, true, false],
    ["windows", {}, true, true],
    ["windows", { SSH_CONNECTION: "a 1 b 22" }, true, false],
  ];
  for (const [os, env, there, local] of table) {
    assert.deepEqual([hasDesktop({ os, env }), isLocalUser({ env })], [there, local], os);
  }
});
