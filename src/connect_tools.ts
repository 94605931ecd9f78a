// Settings of other programs for this server, ready to be copied: for `connect` and for the page.

/** What such a text is made with. */
export interface Connection {
  /** `http://127.0.0.1:8001` */
  readonly address: string;
  readonly model: string;
  readonly needsKey: boolean;
}

export interface ConnectTool {
  readonly name: string;
  readonly title: string;
  /** Where its text belongs. */
  readonly where: string;
  /** What there is to know besides; null = nothing. */
  readonly note: string | null;
  /** False = it can send no key, and works only with a server that wants none. */
  readonly sendsKey: boolean;
  /** What stands around the key's place: how a real key must be written there. */
  readonly keyIn: "text" | "json" | "shell";
  text(connection: Connection): string;
}

/** Stands where the user's own key goes. In a shell it is just that: the variable. */
export const KEY_PLACE = "$ZOMBIE_API_KEY";
/** For programs that insist on one. */
const ANY_KEY = "none-needed";

export const TOOLS: readonly ConnectTool[] = [
  {
    name: "continue",
    title: "Continue",
    where: "in ~/.continue/config.yaml",
    note: null,
    sendsKey: true,
    keyIn: "json",
    text: ({ address, model, needsKey }) =>
      [
        "name: ZombieCoder",
        "version: 1.0.0",
        "schema: v1",
        "models:",
        `  - name: ${JSON.stringify(model)}`,
        "    provider: openai",
        `    model: ${JSON.stringify(model)}`,
        `    apiBase: ${address}/v1`,
        `    apiKey: ${JSON.stringify(needsKey ? KEY_PLACE : ANY_KEY)}`,
        "    roles: [chat, edit, apply]",
      ].join("\n"),
  },
  {
    name: "cline",
    title: "Cline",
    where: "in its settings",
    note: null,
    sendsKey: true,
    keyIn: "text",
    text: ({ address, model, needsKey }) =>
      [
        "API Provider  OpenAI Compatible",
        `Base URL      ${address}/v1`,
        `API Key       ${needsKey ? KEY_PLACE : ANY_KEY}`,
        `Model ID      ${model}`,
      ].join("\n"),
  },
  {
    name: "open-webui",
    title: "Open WebUI",
    where: "in the environment that starts it",
    note: "In a container 127.0.0.1 is the container itself: start it with --network host",
    sendsKey: true,
    keyIn: "text",
    text: ({ address, needsKey }) =>
      [
        `OPENAI_API_BASE_URL=${address}/v1`,
        `OPENAI_API_KEY=${needsKey ? KEY_PLACE : ANY_KEY}`,
        "ENABLE_OLLAMA_API=false",
      ].join("\n"),
  },
  {
    name: "claude-code",
    title: "Claude Code",
    where: "in a terminal",
    note: "Its questions are long: give the model a context of 32,768 tokens or more",
    sendsKey: true,
    keyIn: "shell",
    text: ({ address, model, needsKey }) =>
      [
        `export ANTHROPIC_BASE_URL=${address}`,
        `export ANTHROPIC_AUTH_TOKEN=${needsKey ? `"${KEY_PLACE}"` : ANY_KEY}`,
        `export ANTHROPIC_MODEL=${inQuotes(model)}`,
        `export ANTHROPIC_DEFAULT_HAIKU_MODEL=${inQuotes(model)}`,
        "claude",
      ].join("\n"),
  },
  {
    name: "ollama",
    title: "Ollama's command line",
    where: "in a terminal",
    note: null,
    sendsKey: false,
    keyIn: "text",
    text: ({ address, model }) => `OLLAMA_HOST=${address} ollama run ${inQuotes(model)}`,
  },
  {
    name: "openai",
    title: "OpenAI (Python)",
    where: "in Python, with the package openai",
    note: "In other languages it is the same: address, key and model, in their OpenAI client",
    sendsKey: true,
    keyIn: "json",
    text: ({ address, model, needsKey }) =>
      [
        "from openai import OpenAI",
        "",
        "client = OpenAI(",
        `    base_url=${JSON.stringify(`${address}/v1`)},`,
        `    api_key=${JSON.stringify(needsKey ? KEY_PLACE : ANY_KEY)},`,
        ")",
        "answer = client.chat.completions.create(",
        `    model=${JSON.stringify(model)},`,
        '    messages=[{"role": "user", "content": "hi"}],',
        ")",
        "print(answer.choices[0].message.content)",
      ].join("\n"),
  },
  {
    name: "curl",
    title: "curl",
    where: "in a terminal",
    note: null,
    sendsKey: true,
    keyIn: "shell",
    text: ({ address, model, needsKey }) => {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] });
      return [
        `curl ${address}/v1/chat/completions \\`,
        ...needsKey ? [`  -H "Authorization: Bearer ${KEY_PLACE}" \\`] : [],
        "  -H 'Content-Type: application/json' \\",
        `  -d ${inQuotes(body)}`,
      ].join("\n");
    },
  },
];

/** One word of a shell, whatever it holds. */
export function inQuotes(text: string): string {
  return /^[\w.:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
