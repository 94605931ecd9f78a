import assert from "node:assert/strict";
import { join } from "node:path";
import { grantableRoots, importRoots, standingRoots } from "../src/host/import_roots.ts";
import { tempDir } from "./support/temp_dir.ts";

function lines(os: string, env: Record<string, string> = {}, homeDir: string | null = "/home/u") {
  return importRoots({ os, env, homeDir }).map(({ program, path }) => `${program} ${path}`);
}

Deno.test("importRoots() names the usual places on Linux", () => {
  assert.deepEqual(lines("linux", { USER: "u" }), [
    "ollama /home/u/.ollama/models",
    "ollama /usr/share/ollama/.ollama/models",
    "lm_studio /home/u/.lmstudio/models",
    "lm_studio /home/u/.cache/lm-studio/models",
    "huggingface /home/u/.cache/huggingface/hub",
    "llama_cpp /home/u/.cache/llama.cpp",
    "jan /home/u/.config/Jan/data/llamacpp/models",
    "jan /home/u/.local/share/Jan/data/llamacpp/models",
    "gpt4all /home/u/.local/share/nomic.ai/GPT4All",
    "drive /media/u",
    "drive /run/media/u",
  ]);
});

Deno.test("importRoots() names the usual places on macOS", () => {
  assert.deepEqual(lines("darwin", { USER: "u" }, "/Users/u"), [
    "ollama /Users/u/.ollama/models",
    "lm_studio /Users/u/.lmstudio/models",
    "lm_studio /Users/u/.cache/lm-studio/models",
    "huggingface /Users/u/.cache/huggingface/hub",
    "llama_cpp /Users/u/Library/Caches/llama.cpp",
    "jan /Users/u/Library/Application Support/Jan/data/llamacpp/models",
    "gpt4all /Users/u/Library/Application Support/nomic.ai/GPT4All",
    "drive /Volumes",
  ]);
});

Deno.test("importRoots() names the usual places on Windows, and no whole drive", () => {
  const env = { APPDATA: "C:\\Users\\u\\Roaming", LOCALAPPDATA: "C:\\Users\\u\\Local", USER: "u" };
  assert.deepEqual(lines("windows", env, "C:\\Users\\u"), [
    "ollama C:\\Users\\u\\.ollama\\models",
    "lm_studio C:\\Users\\u\\.lmstudio\\models",
    "lm_studio C:\\Users\\u\\.cache\\lm-studio\\models",
    "huggingface C:\\Users\\u\\.cache\\huggingface\\hub",
    "llama_cpp C:\\Users\\u\\Local\\llama.cpp",
    "jan C:\\Users\\u\\Roaming\\Jan\\data\\llamacpp\\models",
    "gpt4all C:\\Users\\u\\Local\\nomic.ai\\GPT4All",
  ]);
});

Deno.test("importRoots() follows the variables of other programs in their order", () => {
  function of(program: string, env: Record<string, string>): string[] {
    return lines("linux", env).filter((line) => line.startsWith(program))
      .map((line) => line.slice(program.length + 1));
  }
  const hub = {
    HF_HUB_CACHE: "/a",
    HUGGINGFACE_HUB_CACHE: "/b",
    HF_HOME: "/c",
    XDG_CACHE_HOME: "/d",
  };
  const expected = ["/a", "/b", "/c/hub", "/d/huggingface/hub", "/home/u/.cache/huggingface/hub"];
  const names = Object.keys(hub);
  for (let given = 0; given <= names.length; given++) {
    const env = Object.fromEntries(Object.entries(hub).slice(given));
    assert.deepEqual(of("huggingface", env), [expected[given]]);
  }
  assert.deepEqual(of("huggingface", { HF_HOME: "~/hf/" }), ["/home/u/hf/hub"]);
  assert.deepEqual(of("ollama", { OLLAMA_MODELS: "/o/" }), [
    "/o",
    "/usr/share/ollama/.ollama/models",
  ]);
  assert.deepEqual(of("llama_cpp", { LLAMA_CACHE: "/l", XDG_CACHE_HOME: "/d" }), ["/l"]);
  assert.deepEqual(of("llama_cpp", { XDG_CACHE_HOME: "/d" }), ["/d/llama.cpp"]);
  assert.deepEqual(of("gpt4all", { XDG_DATA_HOME: "/s" }), ["/s/nomic.ai/GPT4All"]);
  assert.deepEqual(of("drive", { LOGNAME: "বাংলা" }), ["/media/বাংলা", "/run/media/বাংলা"]);
  assert.deepEqual(of("drive", {}), ["/media/u", "/run/media/u"]);
});

Deno.test("importRoots() makes no folder of a name or path that is none", () => {
  for (const USER of ["..", ".", "a/b", "/", "-x", "a\0", "", "x".repeat(80)]) {
    assert.deepEqual(lines("linux", { USER }, null).filter((line) => line.startsWith("drive")), []);
  }
  for (const OLLAMA_MODELS of ["models", "./models", "", "  ", "/a\0b"]) {
    assert.ok(lines("linux", { OLLAMA_MODELS }).includes("ollama /home/u/.ollama/models"));
  }
  assert.deepEqual(lines("linux", {}, null), ["ollama /usr/share/ollama/.ollama/models"]);
});

Deno.test("grantableRoots() keeps what would open more than models closed", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["user/.zombie/deep", "user/.runtime", "user/.ollama", "data"]) {
    Deno.mkdirSync(at(name), { recursive: true });
  }
  Deno.symlinkSync(dir.path, at("data/up"));
  Deno.symlinkSync(at("data"), at("user/linked"));
  Deno.symlinkSync("/", at("root"));
  const limits = { own: [at("user/.zombie"), at("user/.runtime")], userHome: at("user") };
  function grant(path: string) {
    const { roots, refused } = grantableRoots([{ program: "ollama", path }], limits);
    assert.equal(roots.length + refused.length, 1);
    return roots[0]?.path ?? null;
  }
  for (
    const name of [
      ...["/", at("root"), dir.path, at("user"), at("user/"), at("data/up"), at("user/linked/up")],
      ...[at("user/.zombie"), at("user/.zombie/deep"), at("user/.zombie/later"), at("root/tmp/..")],
      ...[at("user/.runtime"), join(at("root"), at("user"))],
    ]
  ) {
    assert.equal(grant(name), null, name);
  }
  assert.equal(grant(at("user/.ollama")), at("user/.ollama"));
  assert.equal(grant(at("user/.zombie-more")), at("user/.zombie-more"));
  // A link at the start is what the user made of it; what is not there yet is kept for later.
  assert.equal(grant(at("user/linked/models")), at("data/models"));
  assert.equal(grant(at("user/none/yet")), at("user/none/yet"));
});

Deno.test("grantableRoots() grants each real volume by itself, never the link to the whole disk", async () => {
  await using dir = await tempDir();
  const volumes = join(dir.path, "Volumes");
  Deno.mkdirSync(join(volumes, "STICK"), { recursive: true });
  Deno.symlinkSync("/", join(volumes, "Macintosh HD"));
  const { roots } = grantableRoots([{ program: "drive", path: volumes }], {
    own: [],
    userHome: null,
    volumes,
  });
  assert.deepEqual(roots, [{ program: "drive", path: join(volumes, "STICK") }]);
});

Deno.test("standingRoots() leaves out a root that became a link after the start", async () => {
  await using dir = await tempDir();
  const [stays, swapped] = [join(dir.path, "stays"), join(dir.path, "swapped")];
  for (const path of [stays, swapped]) Deno.mkdirSync(path);
  const roots = [stays, swapped, join(dir.path, "none")].map((path) => ({ program: "x", path }));
  assert.deepEqual(standingRoots(roots), [stays, swapped]);
  Deno.removeSync(swapped);
  Deno.symlinkSync("/etc", swapped);
  assert.deepEqual(standingRoots(roots), [stays]);
});
