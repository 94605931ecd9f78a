// A service as an agent of launchd (pure). Not seen working.

import { checkSpec, MARK, type ServiceSpec } from "./service_spec.ts";
import { escapeXml, unescapeXml } from "./xml_text.ts";

export const AGENT_LABEL = "zombiecoder.server";

/** Throws `bad_flag` for what an agent's file cannot hold. */
export function launchdPlist(spec: ServiceSpec): string {
  checkSpec(spec);
  const words = [spec.program, ...spec.args];
  const env = Object.entries(spec.env);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${MARK}; zombiecoder service remove takes it away. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${AGENT_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words.map((word) => `    <string>${escapeXml(word)}</string>\n`).join("")}  </array>
  <key>EnvironmentVariables</key>
  <dict>
${
    env.map(([name, value]) =>
      `    <key>${escapeXml(name)}</key>\n    <string>${escapeXml(value)}</string>\n`
    ).join("")
  }  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>ExitTimeOut</key>
  <integer>60</integer>
</dict>
</plist>
`;
}

/** What an agent of ours starts: the words of `launchdPlist`, in reverse. */
export function launchdWords(plist: string): string[] {
  const list = /<array>([^]*?)<\/array>/.exec(plist)?.[1] ?? "";
  return [...list.matchAll(/<string>([^<]*)<\/string>/g)].map(([, word]) => unescapeXml(word!));
}
