// A user with an empty home folder of any name, and the environment in which their programs start. The
// llama.cpp build lies where their first start would have put it.

import { dirname, join } from "node:path";
import { endServer } from "../../src/host/detached_server.ts";
import { prepareSocketFolder } from "../../src/host/socket_folder.ts";
import { testRuntime } from "./llama_server.ts";
import { cageEnv } from "./test_cage.ts";
import { tempDir } from "./temp_dir.ts";

export interface UserHome extends AsyncDisposable {
  /** The user's own folder, their `HOME`. */
  readonly path: string;
  /** A folder beside it. */
  readonly outside: string;
  /** `~/.zombie_model` */
  readonly home: string;
  /** `~/.zombie_runtime` */
  readonly runtimeHome: string;
  readonly env: Record<string, string>;
}

/** Whatever server they start ends with it. */
export async function userHome(name: string): Promise<UserHome> {
  const dir = await tempDir();
  const path = join(dir.path, name);
  // Below their own folder, as a system without one for each session has it.
  const run = join(path, "run");
  await Deno.mkdir(path);
  await Deno.mkdir(run, { mode: 0o700 });
  const home = join(path, ".zombie_model");
  const runtimeHome = join(path, ".zombie_runtime");
  return {
    path,
    outside: dir.path,
    home,
    runtimeHome,
    env: {
      HOME: path,
      // What this program is made of lies in the home of whoever runs the tests.
      DENO_DIR: await denoDir(),
      XDG_RUNTIME_DIR: run,
      ZOMBIE_HOST: "127.0.0.1",
      ZOMBIE_PORT: "0",
      ZOMBIE_RUNTIME_PORTS: "28080-28100",
      ...cageEnv(),
      ...await placeRuntime(runtimeHome),
    },
    async [Symbol.asyncDispose]() {
      await endServer(home);
      // With a long name it lies elsewhere.
      const sockets = prepareSocketFolder({
        runtimeDir: run,
        tmpDir: run,
        home,
        platform: Deno.build.os,
      });
      await Deno.remove(sockets.dir, { recursive: true });
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** As an installation leaves it, by links: a copy would be 50 MB. Else by its path. */
async function placeRuntime(runtimeHome: string): Promise<Record<string, string>> {
  const path = await testRuntime();
  const build = dirname(path);
  const names = [...Deno.readDirSync(build)].filter(({ isFile }) => isFile).map(({ name }) => name);
  if (!names.includes("runtime.json")) return { ZOMBIE_LLAMA_SERVER: path };
  const folder = join(runtimeHome, "build");
  await Deno.mkdir(folder, { recursive: true });
  for (const name of names) {
    await Deno.link(join(build, name), join(folder, name))
      .catch(() => Deno.copyFile(join(build, name), join(folder, name)));
  }
  return {};
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
