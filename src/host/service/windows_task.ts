// A service as a task of Windows that begins when its user logs on (pure). Not seen working.

import { checkSpec, MARK, type ServiceSpec } from "./service_spec.ts";
import { escapeXml, unescapeXml } from "./xml_text.ts";

export const TASK_NAME = "ZombieCoder";

/** `user`: `DOMAIN\name`. Throws `bad_flag` for what a task cannot hold. */
export function windowsTask(spec: ServiceSpec, user: string): string {
  checkSpec(spec);
  const who = escapeXml(user);
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>ZombieCoder Local AI. ${MARK}</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <UserId>${who}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${who}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>5</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escapeXml(`"${spec.program}"`)}</Command>
      <Arguments>${escapeXml(spec.args.map(windowsWord).join(" "))}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

/** What a task of ours starts; nothing where its name came in other letters than these. */
export function windowsWords(task: string): string[] {
  const command = /<Command>([ -~]*?)<\/Command>/.exec(task)?.[1];
  return command === undefined ? [] : [unescapeXml(command).replace(/^"(.*)"$/, "$1")];
}

/** As the programs of Windows take their one line of arguments apart. */
export function windowsWord(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  // Backslashes count only before a quote, and before the one at the end.
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}

/** As `schtasks` reads a file: UTF-16 with its mark. */
export function utf16File(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + text.length * 2);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfeff, true);
  for (let at = 0; at < text.length; at++) view.setUint16(2 + at * 2, text.charCodeAt(at), true);
  return bytes;
}
