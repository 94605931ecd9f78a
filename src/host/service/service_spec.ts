// What a service starts: a program by its full path, exact arguments, and what it finds in its
// environment. Each system writes it down in a form of its own.

import { AppError } from "../../errors.ts";

export interface ServiceSpec {
  program: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** By this line in it, a file is known as one that we wrote. */
export const MARK = "Written by zombiecoder service install";

// deno-lint-ignore no-control-regex -- that is what must not get through
const UNWRITABLE = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff]/u;

/**
 * Throws `bad_flag` for what no form can hold: a line that ends within a value would begin another
 * setting of the service.
 */
export function checkSpec({ program, args, env }: ServiceSpec): void {
  const values = [program, ...args, ...Object.values(env)];
  const bad = values.find((value) => UNWRITABLE.test(value));
  if (bad === undefined) return;
  throw new AppError(
    "bad_flag",
    `Cannot install a service with ${JSON.stringify(bad)}: it contains a sign that no line of a ` +
      "service's settings can hold. Choose another name",
    { values: { value: bad } },
  );
}
