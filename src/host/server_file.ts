// What the program is called that serves a model.

export const SERVER_FILE = Deno.build.os === "windows" ? "llama-server.exe" : "llama-server";
