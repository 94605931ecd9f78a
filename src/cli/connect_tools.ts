// Settings of other programs for this server, ready to be copied.

export interface Connection {
  /** `http://127.0.0.1:8001` */
  readonly address: string;
  readonly model: string;
  readonly needsKey: boolean;
}

export interface Tool {
  readonly name: string;
  readonly title: string;
  settings(connection: Connection): { readonly where: string; readonly text: string };
}

const KEY = "$ZOMBIE_API_KEY";
/** For programs that insist on one. */
const ANY_KEY = "none-needed";

export const TOOLS: readonly Tool[] = [
  {
    name: "curl",
    title: "curl",
    settings: ({ address, model, needsKey }) => ({
      where: "in a terminal",
      text: [
        `curl ${address}/v1/chat/completions \\`,
        ...needsKey ? [`  -H "Authorization: Bearer ${KEY}" \\`] : [],
        "  -H 'Content-Type: application/json' \\",
        `  -d ${
          inQuotes(JSON.stringify({
            model,
            messages: [{ role: "user", content: "hi" }],
          }))
        }`,
      ].join("\n"),
    }),
  },
  {
    name: "continue",
    title: "Continue",
    settings: ({ address, model, needsKey }) => ({
      where: "in ~/.continue/config.yaml",
      text: [
        "name: ZombieCoder",
        "version: 1.0.0",
        "schema: v1",
        "models:",
        `  - name: ${JSON.stringify(model)}`,
        "    provider: openai",
        `    model: ${JSON.stringify(model)}`,
        `    apiBase: ${address}/v1`,
        `    apiKey: ${JSON.stringify(needsKey ? KEY : ANY_KEY)}`,
        "    roles: [chat, edit, apply]",
      ].join("\n"),
    }),
  },
  {
    name: "cline",
    title: "Cline",
    settings: ({ address, model, needsKey }) => ({
      where: "in its settings",
      text: [
        "API Provider  OpenAI Compatible",
        `Base URL      ${address}/v1`,
        `API Key       ${needsKey ? KEY : ANY_KEY}`,
        `Model ID      ${model}`,
      ].join("\n"),
    }),
  },
  {
    name: "open-webui",
    title: "Open WebUI",
    settings: ({ address, needsKey }) => ({
      where: "in the environment that starts it",
      text: [
        `OPENAI_API_BASE_URL=${address}/v1`,
        `OPENAI_API_KEY=${needsKey ? KEY : ANY_KEY}`,
        "ENABLE_OLLAMA_API=false",
        "# in a container 127.0.0.1 is the container: docker run --network host",
      ].join("\n"),
    }),
  },
  {
    name: "claude-code",
    title: "Claude Code",
    settings: ({ address, model, needsKey }) => ({
      where: "in a terminal",
      text: [
        `export ANTHROPIC_BASE_URL=${address}`,
        `export ANTHROPIC_AUTH_TOKEN=${needsKey ? `"${KEY}"` : ANY_KEY}`,
        `export ANTHROPIC_MODEL=${inQuotes(model)}`,
        `export ANTHROPIC_DEFAULT_HAIKU_MODEL=${inQuotes(model)}`,
        "# its questions are long: the model wants a context of 32,768 tokens or more",
        "claude",
      ].join("\n"),
    }),
  },
  {
    name: "ollama",
    title: "Ollama's command line",
    settings: ({ address, model, needsKey }) => ({
      where: needsKey
        ? "in a terminal; it can send no key, so this works without one only"
        : "in a terminal",
      text: `OLLAMA_HOST=${address} ollama run ${inQuotes(model)}`,
    }),
  },
];

/** One word of a shell, whatever it holds. */
function inQuotes(text: string): string {
  return /^[\w.:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
