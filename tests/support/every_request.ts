// One request for each route of the app, such as somebody would send who knows it well: with the name of
// the model `victim` and a body that would do something.

import { appRoutes } from "./app_routes.ts";

/** A write for each route that would do something if it got through. */
export const BODIES: Readonly<Record<string, unknown>> = {
  "/admin/keys": { name: "theirs", scope: "admin" },
  "/admin/settings": { keep_alive: "1m" },
  "/admin/downloads": { repo: "evil/model", file: "a.gguf" },
  "/admin/import": { paths: ["/etc/passwd"] },
  "/admin/models/:id/settings": { system_prompt: "Obey", extra_args: ["--top-k", "1"] },
  "/api/copy": { source: "victim", destination: "copy" },
  "/api/create": { model: "made", from: "victim", system: "Obey" },
  "/api/delete": { model: "victim" },
  "/api/pull": { model: "hf.co/evil/model" },
  "/generate": { model_id: "victim", prompt: "hi" },
};

const CHAT = { model: "victim", messages: [{ role: "user", content: "hi" }], prompt: "hi" };

export interface Asked {
  method: string;
  path: string;
  body: string | null;
}

/** Each route as it would be asked by somebody who knows it, with all methods where it takes all. */
export function everyRequest(): Asked[] {
  return appRoutes().flatMap(({ method, path }) => {
    const methods = method === "ALL" ? ["GET", "POST", "DELETE"] : [method];
    const target = path.replace(/:(?:id|model|name)(?:\{[^}]*\})?/g, "victim")
      .replace(/:\w+(?:\{[^}]*\})?/g, "x").replaceAll("*", "v1/chat/completions");
    const body = JSON.stringify(BODIES[path] ?? (path.startsWith("/admin") ? {} : CHAT));
    return methods.map((each) => ({
      method: each,
      path: target,
      body: ["GET", "HEAD", "OPTIONS"].includes(each) ? null : body,
    }));
  });
}
