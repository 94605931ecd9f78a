import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { COMMANDS } from "../src/commands.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { cli, cliEnv, type CliHome, cliHome } from "./support/cli.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";
import { type TempDir, tempDir } from "./support/temp_dir.ts";
import { startTerminal } from "./support/terminal.ts";
import { testTool } from "./support/test_tool.ts";

/** A name that does harm where it is taken for a command. */
const HOSTILE = "$(touch owned) `touch owned` ; touch owned";

async function serverWithModels(): Promise<ServerProcess> {
  return await startServer({
    async prepare(home) {
      await writeTestModel(join(home, "qwen-4b.gguf"), { name: "q", sentence: "Hi." });
      await writeTestModel(join(home, `${HOSTILE}.gguf`), { name: "h", sentence: "Hi." });
    },
  });
}

async function scriptFile(dir: TempDir, shell: string): Promise<string> {
  const { code, stdout, stderr } = await cli(["completions", shell]);
  assert.equal(code, 0, stderr);
  const path = join(dir.path, `completions.${shell}`);
  await Deno.writeTextFile(path, stdout);
  const main = new URL("../main.ts", import.meta.url).pathname;
  const run = `"${Deno.execPath()}" run -A --no-prompt --quiet --cached-only "${main}" "$@"`;
  await Deno.writeTextFile(join(dir.path, "zombiecoder"), `#!/bin/sh\nexec ${run}\n`, {
    mode: 0o755,
  });
  return path;
}

interface Shell {
  program: string;
  args: string[];
  env: Record<string, string>;
}

async function said({ program, args, env }: Shell, dir: TempDir): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: dir.path,
    env: { LC_ALL: "C.UTF-8", ...env, PATH: `${dir.path}:${Deno.env.get("PATH")}` },
  }).output();
  const errors = new TextDecoder().decode(stderr);
  assert.equal(errors, "");
  assert.equal(code, 0, errors);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

const NAMES = COMMANDS.map(({ name }) => name);

/** Words so far, the last one unfinished; what is offered for it. */
const OFFERS: readonly [words: string[], offered: string[]][] = [
  [[""], NAMES],
  [["l"], ["list", "load", "logs"]],
  [["--home", "x", "ver"], ["version"]],
  [["keys", ""], ["add", "revoke"]],
  [["completions", "b"], ["bash"]],
  [["connect", "cl"], ["cline", "claude-code"]],
  [["list", "--js"], ["--json"]],
  [["stop", "--s"], ["--server", "--sweep"]],
  [["run", "q"], ["qwen-4b"]],
  [["config", "nothing"], []],
];

Deno.test("completions bash completes commands, flags and models, and runs no name", async () => {
  await using server = await serverWithModels();
  await using dir = await tempDir();
  const script = await scriptFile(dir, "bash");
  async function offered(words: readonly string[]): Promise<string[]> {
    const program = `source "${script}"
COMP_WORDS=(zombiecoder "$@"); COMP_CWORD=$#
_zombiecoder
printf '%s\\n' "\${COMPREPLY[@]}"`;
    return await said({
      program: "bash",
      args: ["-c", program, "bash", ...words],
      env: cliEnv(server),
    }, dir);
  }
  for (const [words, wanted] of OFFERS) {
    assert.deepEqual((await offered(words)).sort(), wanted.toSorted(), words.join(" "));
  }
  const models = await offered(["rm", ""]);
  assert.deepEqual(models.length, 3);
  // Quoted, so that the line that is sent off names it and does nothing else.
  const [hostile] = await offered(["rm", "$"]);
  const echoed = await said(
    { program: "bash", args: ["-c", `printf '%s\\n' ${hostile}`], env: {} },
    dir,
  );
  assert.deepEqual(echoed, [HOSTILE]);
  assert.throws(() => Deno.statSync(join(dir.path, "owned")), Deno.errors.NotFound);
});

Deno.test("completions fish completes commands, flags and models, and runs no name", async () => {
  const tool = await testTool("fish");
  await using server = await serverWithModels();
  await using dir = await tempDir();
  const script = await scriptFile(dir, "fish");
  async function offered(line: string): Promise<string[]> {
    const env = {
      ...tool.env,
      ...cliEnv(server),
      XDG_CONFIG_HOME: dir.path,
      XDG_DATA_HOME: dir.path,
    };
    const own = tool.source === "private" ? privateFish(tool.path) : "";
    const program = `${own}; source "${script}"; complete -C $argv[1]`;
    const lines = await said({ program: tool.path, args: ["-c", program, line], env }, dir);
    return lines.map((each) => each.split("\t")[0]!);
  }
  for (const [words, wanted] of OFFERS) {
    // Fish goes on with names that only hold the word.
    const found = await offered(["zombiecoder", ...words].join(" "));
    for (const each of wanted) assert.ok(found.includes(each), `${words.join(" ")}: ${found}`);
    if (wanted.length === 0) assert.deepEqual(found, []);
  }
  const models = await offered("zombiecoder rm ");
  assert.deepEqual(models.filter((each) => !each.startsWith("-")).length, 3);
  assert.throws(() => Deno.statSync(join(dir.path, "owned")), Deno.errors.NotFound);
});

function privateFish(path: string): string {
  return `set -g fish_function_path "${join(dirname(path), "../share/fish/functions")}"`;
}

Deno.test("completions zsh completes commands, flags and models, and runs no name", async () => {
  const tool = await testTool("zsh");
  await using server = await serverWithModels();
  await using dir = await tempDir();
  const script = await scriptFile(dir, "zsh");
  await Deno.writeTextFile(
    join(dir.path, ".zshrc"),
    `${tool.source === "private" ? privateZsh(tool.path) : ""}
PS1='> '; unset HISTFILE; unsetopt beep promptsp
autoload -Uz compinit; compinit -u -D; source "${script}"
`,
  );
  await using terminal = await startTerminal({ columns: 120, rows: 60, env: cliEnv(server) });
  const libraries = tool.env.LD_LIBRARY_PATH;
  const env = libraries === undefined ? "" : `LD_LIBRARY_PATH="${libraries}" `;
  await terminal.enter(`cd ${dir.path}; clear; ${env}ZDOTDIR=${dir.path} ${tool.path} -i`);
  await terminal.see(/^> *$/m);
  async function offers(line: string, wanted: readonly string[]): Promise<void> {
    await terminal.press("C-u", "C-l");
    await terminal.type(`zombiecoder ${line}`);
    await terminal.press("Tab");
    // One is written out at once, several are listed below.
    const all = wanted.map((each) => `(?=[^]*(?<![\\w-])${RegExp.escape(each)}(?![\\w-]))`).join(
      "",
    );
    await terminal.see(new RegExp(`> zombiecoder (?![^]*> zombiecoder)${all}`));
  }
  for (const [words, wanted] of OFFERS) {
    if (wanted.length > 0) await offers(words.join(" "), wanted);
  }
  await offers("rm ", ["qwen-4b", "hello"]);
  assert.throws(() => Deno.statSync(join(dir.path, "owned")), Deno.errors.NotFound);
});

/** Where a zsh that was not installed finds its own parts. */
function privateZsh(path: string): string {
  const root = join(dirname(path), "..");
  return `module_path=("${root}"/usr/lib/*/zsh/*(N) "${root}"/lib/*/zsh/*(N))
fpath=("${root}"/usr/share/zsh/functions/**/*(N/))
zmodload zsh/zle; setopt zle`;
}

Deno.test("completions models lists them where a server runs, and is silent otherwise", async () => {
  await using home: CliHome = await cliHome();
  assert.deepEqual(await cli(["completions", "models"], { env: home.env }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  await using server = await serverWithModels();
  const { stdout } = await cli(["completions", "models"], { env: cliEnv(server) });
  assert.deepEqual(
    stdout.trimEnd().split("\n").toSorted(),
    [HOSTILE, "hello", "qwen-4b"].toSorted(),
  );
});
