// What `deno desktop` puts around a program, as far as the program looks at it: preloaded, it makes of a
// plain Deno one in which a window is open.

Object.defineProperty(Deno, "BrowserWindow", { value: class BrowserWindow {}, enumerable: true });
