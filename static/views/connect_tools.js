// Settings of other programs for this server, ready to be copied: the texts of `zombiecoder connect`.

/**
 * @typedef {object} Connection
 * @property {string} address `http://127.0.0.1:8001`
 * @property {string} model
 * @property {string | null} key Null where the server wants none.
 */
/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} title
 * @property {(connection: Connection) => string} text
 * @property {boolean} [noted] There is something to know: `connect.note.NAME`.
 * @property {boolean} [keyless] It can send no key.
 */

/** Stands where the user's own key goes. */
export const KEY_PLACE = "$ZOMBIE_API_KEY";
/** For programs that insist on one. */
const ANY_KEY = "none-needed";

/** @type {readonly Tool[]} */
export const TOOLS = [
  {
    name: "continue",
    title: "Continue",
    text: ({ address, model, key }) =>
      [
        "name: ZombieCoder",
        "version: 1.0.0",
        "schema: v1",
        "models:",
        `  - name: ${JSON.stringify(model)}`,
        "    provider: openai",
        `    model: ${JSON.stringify(model)}`,
        `    apiBase: ${address}/v1`,
        `    apiKey: ${JSON.stringify(key ?? ANY_KEY)}`,
        "    roles: [chat, edit, apply]",
      ].join("\n"),
  },
  {
    name: "cline",
    title: "Cline",
    text: ({ address, model, key }) =>
      [
        "API Provider  OpenAI Compatible",
        `Base URL      ${address}/v1`,
        `API Key       ${key ?? ANY_KEY}`,
        `Model ID      ${model}`,
      ].join("\n"),
  },
  {
    name: "open-webui",
    title: "Open WebUI",
    noted: true,
    text: ({ address, key }) =>
      [
        `OPENAI_API_BASE_URL=${address}/v1`,
        `OPENAI_API_KEY=${key ?? ANY_KEY}`,
        "ENABLE_OLLAMA_API=false",
      ].join("\n"),
  },
  {
    name: "claude-code",
    title: "Claude Code",
    noted: true,
    text: ({ address, model, key }) =>
      [
        `export ANTHROPIC_BASE_URL=${address}`,
        `export ANTHROPIC_AUTH_TOKEN=${key === null ? ANY_KEY : inDoubleQuotes(key)}`,
        `export ANTHROPIC_MODEL=${inQuotes(model)}`,
        `export ANTHROPIC_DEFAULT_HAIKU_MODEL=${inQuotes(model)}`,
        "claude",
      ].join("\n"),
  },
  {
    name: "ollama",
    title: "Ollama",
    keyless: true,
    text: ({ address, model }) => `OLLAMA_HOST=${address} ollama run ${inQuotes(model)}`,
  },
  {
    name: "openai",
    title: "OpenAI (Python)",
    noted: true,
    text: ({ address, model, key }) =>
      [
        "from openai import OpenAI",
        "",
        "client = OpenAI(",
        `    base_url=${JSON.stringify(`${address}/v1`)},`,
        `    api_key=${JSON.stringify(key ?? ANY_KEY)},`,
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
    text: ({ address, model, key }) => {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] });
      return [
        `curl ${address}/v1/chat/completions \\`,
        ...(key === null ? [] : [`  -H ${inDoubleQuotes(`Authorization: Bearer ${key}`)} \\`]),
        "  -H 'Content-Type: application/json' \\",
        `  -d ${inQuotes(body)}`,
      ].join("\n");
    },
  },
];

/**
 * One word of a shell, whatever it holds.
 *
 * @param {string} text
 */
function inQuotes(text) {
  return /^[\w.:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * One word of a shell in which the place of the key is still a variable.
 *
 * @param {string} text
 */
function inDoubleQuotes(text) {
  return text.endsWith(KEY_PLACE) ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
}
