// Opens the registry and the library of one home, with the built-in test model in it.

import { join } from "node:path";
import type { Config } from "../config_type.ts";
import { AppError, messageOf } from "../errors.ts";
import type { ImportRoot } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { writeHelloModel } from "./hello_model.ts";
import { Library } from "./library.ts";
import { Registry } from "./registry.ts";

export interface OpenModelsOptions {
  log: Log;
  /** Where other programs keep models. */
  importRoots?: readonly ImportRoot[];
  /** Closes both when it is disposed. */
  stack: AsyncDisposableStack;
}

/** Throws `folder_unusable` where the home cannot be read or written. */
export async function openModels(config: Config, options: OpenModelsOptions) {
  const { log, stack, importRoots = [] } = options;
  const registry = stack.use(
    Registry.open(join(config.home, "registry.db"), { log: log.for("registry") }),
  );
  const library = stack.use(
    await Library.open({
      home: config.home,
      folders: config.modelsDirs,
      importRoots,
      builtin: { path: await helloModel(config.home) },
      registry,
      log: log.for("library"),
    }),
  );
  return { registry, library };
}

async function helloModel(home: string): Promise<string> {
  const dir = join(home, "builtin");
  try {
    await Deno.mkdir(dir, { recursive: true });
    return await writeHelloModel(dir);
  } catch (error) {
    throw new AppError(
      "folder_unusable",
      `Cannot write into "${home}": ${messageOf(error)}. Choose another folder with --home`,
      { cause: error, values: { path: home } },
    );
  }
}
