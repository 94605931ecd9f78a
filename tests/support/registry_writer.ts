// A program that saves settings one after the other and says so after each, until it is killed; with
// the argument `until-full` it goes on until the registry refuses, and then reads.

import { AppError } from "../../src/errors.ts";
import { DEFAULT_MODEL_SETTINGS } from "../../src/models/model_settings.ts";
import { Registry } from "../../src/models/registry.ts";
import { logEntries } from "./log_entries.ts";

function writeUntilFull(registry: Registry, messages: () => string[]): unknown {
  const text = "x".repeat(20_000);
  for (let n = 0;; n++) {
    try {
      registry.setSettings(`m${n}`, { ...DEFAULT_MODEL_SETTINGS, system_prompt: text });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      registry.setInstance("mirror", { status: "ready", error: errorOf(text) });
      const read = registry.settingsOf("m0").system_prompt === text;
      return { code: error.code, reason: error.values["reason"], saved: n, read, log: messages() };
    }
  }
}

function errorOf(message: string) {
  return { code: "internal" as const, message: message.repeat(10), values: {} };
}

if (import.meta.main) {
  const { log, messages } = logEntries();
  const registry = Registry.open(Deno.args[0]!, { log });
  const encoder = new TextEncoder();
  if (Deno.args[1] === "until-full") {
    const result = writeUntilFull(registry, () => messages("warn"));
    Deno.stdout.writeSync(encoder.encode(JSON.stringify(result)));
    Deno.exit(0);
  }
  for (let n = 0;; n++) {
    registry.setSettings(`m${n}`, { ...DEFAULT_MODEL_SETTINGS, context: n + 1 });
    Deno.stdout.writeSync(encoder.encode(`${n}\n`));
  }
}
