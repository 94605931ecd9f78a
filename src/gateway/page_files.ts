// What the page is made of: each file by its address, its type, and where its text comes from. All of it
// is imported when somebody first asks; as texts, so that it works where no source tree is.

import { joinModules, type PageModule } from "./page_modules.ts";

/** A file of the page, from the program itself. */
export interface PageFile {
  type: string;
  load(): Promise<string>;
}

type TextModule = { default: string };

/** By address. Literal imports: the scope lets no other module in, and `deno compile` finds them. */
const SOURCES: Readonly<Record<string, PageFile>> = {
  "/": html(() => import("../../static/index.html", { with: { type: "text" } })),
  "/static/icon.svg": svg(() => import("../../static/icon.svg", { with: { type: "text" } })),
  "/static/style.css": css([
    () => import("../../static/style.css", { with: { type: "text" } }),
    () => import("../../static/parts/parts.css", { with: { type: "text" } }),
    () => import("../../static/shell.css", { with: { type: "text" } }),
  ]),
  // One file: eight requests less before the page can be used.
  "/static/views.css": css([
    () => import("../../static/views/home.css", { with: { type: "text" } }),
    () => import("../../static/views/get.css", { with: { type: "text" } }),
    () => import("../../static/views/models.css", { with: { type: "text" } }),
    () => import("../../static/views/chat.css", { with: { type: "text" } }),
    () => import("../../static/views/settings.css", { with: { type: "text" } }),
    () => import("../../static/views/logs.css", { with: { type: "text" } }),
    () => import("../../static/views/connect.css", { with: { type: "text" } }),
    () => import("../../static/views/welcome.css", { with: { type: "text" } }),
  ]),
  "/static/i18n/en.json": json([
    () => import("../../static/i18n/en/shell.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/errors.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/home.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/get.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/models.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/chat.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/settings.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/logs.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/connect.json", { with: { type: "text" } }),
    () => import("../../static/i18n/en/welcome.json", { with: { type: "text" } }),
  ]),
  "/static/i18n/bn.json": json([
    () => import("../../static/i18n/bn/shell.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/errors.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/home.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/get.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/models.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/chat.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/settings.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/logs.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/connect.json", { with: { type: "text" } }),
    () => import("../../static/i18n/bn/welcome.json", { with: { type: "text" } }),
  ]),
  "/static/look.js": js(() => import("../../static/look.js", { with: { type: "text" } })),
  "/static/app.js": js(() => import("../../static/app.js", { with: { type: "text" } })),
  "/static/api.js": js(() => import("../../static/api.js", { with: { type: "text" } })),
  "/static/event_blocks.js": js(() =>
    import("../../static/event_blocks.js", { with: { type: "text" } })
  ),
  "/static/store.js": js(() => import("../../static/store.js", { with: { type: "text" } })),
  "/static/live.js": js(() => import("../../static/live.js", { with: { type: "text" } })),
  "/static/router.js": js(() => import("../../static/router.js", { with: { type: "text" } })),
  "/static/preferences.js": js(() =>
    import("../../static/preferences.js", { with: { type: "text" } })
  ),
  "/static/i18n.js": js(() => import("../../static/i18n.js", { with: { type: "text" } })),
  "/static/texts.js": js(() => import("../../static/texts.js", { with: { type: "text" } })),
  "/static/shell.js": js(() => import("../../static/shell.js", { with: { type: "text" } })),
  "/static/key_entry.js": js(() => import("../../static/key_entry.js", { with: { type: "text" } })),
  "/static/parts/icon.js": js(() =>
    import("../../static/parts/icon.js", { with: { type: "text" } })
  ),
  "/static/parts/measures.js": js(() =>
    import("../../static/parts/measures.js", { with: { type: "text" } })
  ),
  "/static/parts/words.js": js(() =>
    import("../../static/parts/words.js", { with: { type: "text" } })
  ),
  "/static/parts/controls.js": js(() =>
    import("../../static/parts/controls.js", { with: { type: "text" } })
  ),
  "/static/parts/overlays.js": js(() =>
    import("../../static/parts/overlays.js", { with: { type: "text" } })
  ),
  "/static/views/home.js": js(() =>
    import("../../static/views/home.js", { with: { type: "text" } })
  ),
  "/static/views/home_models.js": js(() =>
    import("../../static/views/home_models.js", { with: { type: "text" } })
  ),
  "/static/views/home_next_step.js": js(() =>
    import("../../static/views/home_next_step.js", { with: { type: "text" } })
  ),
  "/static/views/home_system.js": js(() =>
    import("../../static/views/home_system.js", { with: { type: "text" } })
  ),
  "/static/views/get.js": js(() => import("../../static/views/get.js", { with: { type: "text" } })),
  "/static/views/get_actions.js": js(() =>
    import("../../static/views/get_actions.js", { with: { type: "text" } })
  ),
  "/static/views/get_ask.js": js(() =>
    import("../../static/views/get_ask.js", { with: { type: "text" } })
  ),
  "/static/views/get_catalogue.js": js(() =>
    import("../../static/views/get_catalogue.js", { with: { type: "text" } })
  ),
  "/static/views/get_downloads.js": js(() =>
    import("../../static/views/get_downloads.js", { with: { type: "text" } })
  ),
  "/static/views/get_files.js": js(() =>
    import("../../static/views/get_files.js", { with: { type: "text" } })
  ),
  "/static/views/get_fit.js": js(() =>
    import("../../static/views/get_fit.js", { with: { type: "text" } })
  ),
  "/static/views/get_hub.js": js(() =>
    import("../../static/views/get_hub.js", { with: { type: "text" } })
  ),
  "/static/views/get_import.js": js(() =>
    import("../../static/views/get_import.js", { with: { type: "text" } })
  ),
  "/static/views/get_limit.js": js(() =>
    import("../../static/views/get_limit.js", { with: { type: "text" } })
  ),
  "/static/views/get_words.js": js(() =>
    import("../../static/views/get_words.js", { with: { type: "text" } })
  ),
  "/static/views/models.js": js(() =>
    import("../../static/views/models.js", { with: { type: "text" } })
  ),
  "/static/views/models_row.js": js(() =>
    import("../../static/views/models_row.js", { with: { type: "text" } })
  ),
  "/static/views/chat.js": js(() =>
    import("../../static/views/chat.js", { with: { type: "text" } })
  ),
  "/static/views/chat_session.js": js(() =>
    import("../../static/views/chat_session.js", { with: { type: "text" } })
  ),
  "/static/views/chat_stream.js": js(() =>
    import("../../static/views/chat_stream.js", { with: { type: "text" } })
  ),
  "/static/views/chat_talks.js": js(() =>
    import("../../static/views/chat_talks.js", { with: { type: "text" } })
  ),
  "/static/views/chat_talk_list.js": js(() =>
    import("../../static/views/chat_talk_list.js", { with: { type: "text" } })
  ),
  "/static/views/chat_message.js": js(() =>
    import("../../static/views/chat_message.js", { with: { type: "text" } })
  ),
  "/static/views/chat_flow.js": js(() =>
    import("../../static/views/chat_flow.js", { with: { type: "text" } })
  ),
  "/static/views/chat_markdown.js": js(() =>
    import("../../static/views/chat_markdown.js", { with: { type: "text" } })
  ),
  "/static/views/chat_composer.js": js(() =>
    import("../../static/views/chat_composer.js", { with: { type: "text" } })
  ),
  "/static/views/chat_images.js": js(() =>
    import("../../static/views/chat_images.js", { with: { type: "text" } })
  ),
  "/static/views/chat_drawer.js": js(() =>
    import("../../static/views/chat_drawer.js", { with: { type: "text" } })
  ),
  "/static/views/chat_export.js": js(() =>
    import("../../static/views/chat_export.js", { with: { type: "text" } })
  ),
  "/static/views/settings.js": js(() =>
    import("../../static/views/settings.js", { with: { type: "text" } })
  ),
  "/static/views/settings_fields.js": js(() =>
    import("../../static/views/settings_fields.js", { with: { type: "text" } })
  ),
  "/static/views/settings_row.js": js(() =>
    import("../../static/views/settings_row.js", { with: { type: "text" } })
  ),
  "/static/views/settings_refusal.js": js(() =>
    import("../../static/views/settings_refusal.js", { with: { type: "text" } })
  ),
  "/static/views/settings_server.js": js(() =>
    import("../../static/views/settings_server.js", { with: { type: "text" } })
  ),
  "/static/views/settings_model.js": js(() =>
    import("../../static/views/settings_model.js", { with: { type: "text" } })
  ),
  "/static/views/settings_engine.js": js(() =>
    import("../../static/views/settings_engine.js", { with: { type: "text" } })
  ),
  "/static/views/settings_keys.js": js(() =>
    import("../../static/views/settings_keys.js", { with: { type: "text" } })
  ),
  "/static/views/logs.js": js(() =>
    import("../../static/views/logs.js", { with: { type: "text" } })
  ),
  "/static/views/logs_lines.js": js(() =>
    import("../../static/views/logs_lines.js", { with: { type: "text" } })
  ),
  "/static/views/logs_pane.js": js(() =>
    import("../../static/views/logs_pane.js", { with: { type: "text" } })
  ),
  "/static/views/logs_reader.js": js(() =>
    import("../../static/views/logs_reader.js", { with: { type: "text" } })
  ),
  "/static/views/logs_requests.js": js(() =>
    import("../../static/views/logs_requests.js", { with: { type: "text" } })
  ),
  "/static/views/connect.js": js(() =>
    import("../../static/views/connect.js", { with: { type: "text" } })
  ),
  "/static/views/connect_addresses.js": js(() =>
    import("../../static/views/connect_addresses.js", { with: { type: "text" } })
  ),
  "/static/views/connect_phone.js": js(() =>
    import("../../static/views/connect_phone.js", { with: { type: "text" } })
  ),
  "/static/views/connect_qr.js": js(() =>
    import("../../static/views/connect_qr.js", { with: { type: "text" } })
  ),
  "/static/views/connect_qr_codewords.js": js(() =>
    import("../../static/views/connect_qr_codewords.js", { with: { type: "text" } })
  ),
  "/static/views/welcome.js": js(() =>
    import("../../static/views/welcome.js", { with: { type: "text" } })
  ),
  "/static/views/welcome_choice.js": js(() =>
    import("../../static/views/welcome_choice.js", { with: { type: "text" } })
  ),
  "/static/views/welcome_hello.js": js(() =>
    import("../../static/views/welcome_hello.js", { with: { type: "text" } })
  ),
  "/static/views/welcome_model.js": js(() =>
    import("../../static/views/welcome_model.js", { with: { type: "text" } })
  ),
  "/lib/preact.js": js(() => import("preact", { with: { type: "text" } })),
  "/lib/preact-hooks.js": js(() => import("preact/hooks", { with: { type: "text" } })),
  "/lib/htm.js": js(() => import("htm", { with: { type: "text" } })),
  "/lib/htm-preact.js": js(() => import("htm/preact", { with: { type: "text" } })),
  "/lib/signals.js": js(() => import("@preact/signals", { with: { type: "text" } })),
  "/lib/signals-core.js": js(() => import("@preact/signals-core", { with: { type: "text" } })),
  "/lib/marked.js": js(() => import("marked", { with: { type: "text" } })),
  // It comes minified as a script only: what it defines is exported.
  "/lib/dompurify.js": js(
    () => import("dompurify/dist/purify.min.js", { with: { type: "text" } }),
    "\nexport default globalThis.DOMPurify;\n",
  ),
};

/** The page's own modules are sent as two files: the shell with all that views use, and the views. */
const SHELL = "/static/app.js";
const VIEWS = "/static/views.js";
/** Runs before all modules, by itself. */
const ALONE = "/static/look.js";

/** All that a browser may ask for, by address. */
export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
  ...Object.fromEntries(Object.entries(SOURCES).filter(([address]) => fileOf(address) === address)),
  [SHELL]: js(joined(SHELL)),
  [VIEWS]: js(joined(VIEWS)),
};

/** Where what stands at this address in the sources is sent. */
function fileOf(address: string): string {
  if (!/^\/static\/.*\.js$/.test(address) || address === ALONE) return address;
  return address.startsWith("/static/views/") ? VIEWS : SHELL;
}

function joined(file: string): () => Promise<TextModule> {
  return async () => {
    const modules: PageModule[] = [];
    const elsewhere = new Map<string, string>();
    for (const [address, { load }] of Object.entries(SOURCES)) {
      if (fileOf(address) === file) modules.push({ address, text: await load() });
      else elsewhere.set(address, fileOf(address));
    }
    const entry = Object.hasOwn(SOURCES, file) ? { entry: file } : {};
    return { default: joinModules(modules, { ...entry, elsewhere }) };
  };
}

function html(load: () => Promise<TextModule>): PageFile {
  return { type: "text/html", load: async () => (await load()).default };
}

function svg(load: () => Promise<TextModule>): PageFile {
  return { type: "image/svg+xml", load: async () => (await load()).default };
}

/** Without the comment that names a source map: there is none to be fetched. */
function js(load: () => Promise<TextModule>, ending = ""): PageFile {
  return {
    type: "text/javascript",
    load: async () =>
      (await load()).default.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n") + ending,
  };
}

/** Without comments and indents. */
function css(parts: (() => Promise<TextModule>)[]): PageFile {
  return {
    type: "text/css",
    load: async () =>
      (await texts(parts)).join("\n").replace(/\/\*(?:(?!\*\/)[^])*\*\//g, "").replace(
        /\n\s+/g,
        "\n",
      ),
  };
}

/** One object of all their keys. */
function json(parts: (() => Promise<TextModule>)[]): PageFile {
  return {
    type: "application/json",
    load: async () => {
      const objects = (await texts(parts)).map((text) => JSON.parse(text));
      return JSON.stringify(Object.assign({}, ...objects));
    },
  };
}

function texts(parts: (() => Promise<TextModule>)[]): Promise<string[]> {
  return Promise.all(parts.map(async (load) => (await load()).default));
}
