// The page in a native window, which `deno desktop` puts around the program. The window is there by itself
// and asks the first server of this thread, whatever port that wanted: it is sent on to the page. Not seen
// working: what is seen is all but the window.

import { messageOf } from "../../errors.ts";

/** Nothing of what it is asked is looked at: this thread may start programs. */
export function leadTo(page: Promise<string>): Deno.HttpServer {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    try {
      return Response.redirect(await page, 302);
    } catch (error) {
      return new Response(messageOf(error), { status: 503 });
    }
  });
}
