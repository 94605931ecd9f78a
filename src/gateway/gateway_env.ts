// What each request brings along besides itself: Hono's bindings, given to `app.fetch(request, env)`.

export interface GatewayEnv {
  Bindings: {
    info: Deno.ServeHandlerInfo<Deno.NetAddr>;
    /** The port that this request came in by: the gateway's or a door's. */
    localPort: number;
    /** The model that was asked, once it is known: for who counts requests. */
    model?: string;
  };
}
