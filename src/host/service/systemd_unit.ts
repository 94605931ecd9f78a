// A service as a unit of systemd (pure).

import { checkSpec, MARK, type ServiceSpec } from "./service_spec.ts";

export const UNIT_NAME = "zombiecoder.service";

/** Throws `bad_flag` for what a unit cannot hold. */
export function systemdUnit(spec: ServiceSpec): string {
  checkSpec(spec);
  const command = [spec.program, ...spec.args].map(quoted).join(" ");
  const env = Object.entries(spec.env).map(([name, value]) =>
    `Environment=${quoted(`${name}=${value}`)}\n`
  );
  return `# ${MARK}; zombiecoder service remove takes it away.
[Unit]
Description=ZombieCoder Local AI
# What fails five times in ten minutes fails the sixth time, too: as where another server has the port.
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
# The colon: a dollar sign is a dollar sign.
ExecStart=:${command}
${env.join("")}Restart=on-failure
RestartSec=5
# Wrong settings stay wrong.
RestartPreventExitStatus=2
# The server ends its models itself, and lets answers end before.
KillMode=mixed
TimeoutStopSec=60
# A model that the system ends for its memory is no reason to end the server.
OOMPolicy=continue
LimitCORE=0
# No further hardening here: the server narrows itself, and each model sits in a cage of its own, for
# which it needs namespaces, and on some systems a program that may change its user.

[Install]
WantedBy=default.target
`;
}

/** What a unit of ours starts: the words of `systemdUnit`, in reverse. */
export function systemdWords(unit: string): string[] {
  const command = /^ExecStart=:(.*)$/m.exec(unit)?.[1] ?? "";
  return [...command.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) =>
    word!.replace(/\\(.)/g, "$1").replaceAll("%%", "%")
  );
}

/** One word, as it is: quotes, backslashes and systemd's own placeholders mean nothing in it. */
function quoted(word: string): string {
  return `"${word.replace(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`;
}
