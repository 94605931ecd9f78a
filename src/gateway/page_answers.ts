// The page's files as answers: compressed in haste for the first who asks and well for all later ones,
// with an ETag, and the page itself with the policy that lets nothing run but them.

import { PAGE_FILES } from "./page_files.ts";

interface Packed {
  headers: Readonly<Record<string, string>>;
  etag: string;
  text: string;
  /** Made when it is first asked for. */
  bodies: Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>;
}

type Encoding = "br" | "gzip" | "identity";

/** Of brotli. The first takes 30 ms for the whole page, the second 640 and makes it 10 % smaller. */
const IN_HASTE = 5;
const WELL = 11;
/** So long nobody asks: then the first visitor has all of it. */
const QUIET_MS = 2_000;

export class PageAnswers implements Disposable {
  readonly #packed = new Map<string, Promise<Packed>>();
  readonly #inHaste: Packed[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Null where there is no such file. */
  async answer(request: Request, address: string): Promise<Response | null> {
    if (!Object.hasOwn(PAGE_FILES, address)) return null;
    let packing = this.#packed.get(address);
    if (packing === undefined) this.#packed.set(address, packing = pack(address));
    const packed = await packing;
    const { headers, etag, text, bodies } = packed;
    const all = {
      ...headers,
      etag,
      vary: address === "/" ? "Accept, Accept-Encoding" : "Accept-Encoding",
    };
    if (isKnown(request.headers.get("if-none-match"), etag)) {
      return new Response(null, { status: 304, headers: all });
    }
    const encoding = encodingFor(request.headers.get("accept-encoding"));
    let body = bodies.get(encoding);
    if (body === undefined) {
      bodies.set(encoding, body = encoded(text, encoding));
      if (encoding === "br") this.#packLater(packed);
    }
    const bytes = await body;
    return new Response(bytes, {
      headers: encoding === "identity" ? all : { ...all, "content-encoding": encoding },
    });
  }

  /** What was packed in haste until now. */
  async packWell(): Promise<void> {
    clearTimeout(this.#timer);
    for (const { text, bodies } of this.#inHaste.splice(0)) {
      const body = await brotli(text, WELL);
      bodies.set("br", Promise.resolve(body));
    }
  }

  #packLater(packed: Packed): void {
    this.#inHaste.push(packed);
    clearTimeout(this.#timer);
    const timer = setTimeout(() => void this.packWell(), QUIET_MS);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

async function pack(address: string): Promise<Packed> {
  const { type, load } = PAGE_FILES[address]!;
  const text = await load();
  return {
    headers: {
      "content-type": `${type}; charset=utf-8`,
      ...(type === "text/html" && {
        "content-security-policy": await policyOf(text),
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
      }),
    },
    // Weak: one for all encodings of it.
    etag: `W/"${(await sha256(text)).slice(0, 22)}"`,
    text,
    bodies: new Map(),
  };
}

/** Everything from here. Of what stands in the page itself the import map alone counts, by its hash. */
async function policyOf(html: string): Promise<string> {
  const maps = [...html.matchAll(/<script type="importmap">([^]*?)<\/script>/g)];
  const hashes = await Promise.all(maps.map(async ([, text]) => `'sha256-${await sha256(text!)}'`));
  return [
    "default-src 'none'",
    ["script-src 'self'", ...hashes].join(" "),
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

function isKnown(header: string | null, etag: string): boolean {
  if (header === null) return false;
  const plain = etag.slice(2);
  return header.split(",").some((each) => each.trim() === "*" || each.trim().endsWith(plain));
}

function encodingFor(header: string | null): Encoding {
  const accepted = new Set(
    (header ?? "").toLowerCase().split(",").map((each) => each.trim())
      .filter((each) => !/;\s*q=0(?:\.0*)?$/.test(each)).map((each) =>
        each.split(";", 1)[0]!.trim()
      ),
  );
  return accepted.has("br") ? "br" : accepted.has("gzip") ? "gzip" : "identity";
}

async function encoded(text: string, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  if (encoding === "br") return await brotli(text, IN_HASTE);
  const bytes = new TextEncoder().encode(text);
  if (encoding === "identity") return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

async function brotli(text: string, quality: number): Promise<Uint8Array<ArrayBuffer>> {
  const { brotliCompress, constants } = await import("node:zlib");
  const bytes = new TextEncoder().encode(text);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: quality,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return await new Promise((resolve, reject) => {
    brotliCompress(bytes, { params }, (error, packed) => {
      if (error === null) resolve(new Uint8Array(packed));
      else reject(error);
    });
  });
}
