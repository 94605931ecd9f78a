// The talk that is open and the answer that is being written. It goes on while other views are shown.

import { batch, signal } from "@preact/signals";
import { api } from "../api.js";
import { modelById } from "../store.js";
import { Answer } from "./chat_stream.js";
import { newId, Talks } from "./chat_talks.js";

/** @import { Sampling } from "../../src/api_types.ts" */
/** @import { Message, Talk, TalkHead, Wishes } from "./chat_talks.js" */

const KEEP_MS = 3_000;
const TITLE_LENGTH = 60;
/** Of `Sampling`: the names that the API has for them. */
const SAMPLED = ["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty"]
  .concat(["frequency_penalty", "seed", "max_tokens"]);

const talks = new Talks();
/** @type {Set<string>} */
const deleted = new Set();
/** @type {import("@preact/signals").Signal<TalkHead[]>} */
export const heads = signal([]);
/** Its messages change in place; `messages` tells of it. @type {import("@preact/signals").Signal<Talk>} */
export const talk = signal(emptyTalk());
/** @type {import("@preact/signals").Signal<Message[]>} */
export const messages = signal([]);
/** @type {import("@preact/signals").Signal<Answer | null>} */
export const answering = signal(null);
/** Why the browser does not keep the talks. @type {import("@preact/signals").Signal<unknown>} */
export const keepError = signal(null);

export async function loadHeads() {
  heads.value = await talks.heads();
}

/** @param {Partial<Wishes>} [change] */
export function newTalk(change = {}) {
  leave();
  show(emptyTalk({ ...talk.peek().wishes, ...change }));
}

/** @param {string} id */
export async function openTalk(id) {
  leave();
  const found = await talks.read(id);
  if (found === null) return await loadHeads();
  // The page was closed while it was written.
  for (const message of found.messages) message.end ??= "stopped";
  show(found);
}

/** @param {string} id */
export async function deleteTalk(id) {
  deleted.add(id);
  if (talk.peek().id === id) newTalk();
  await talks.remove(id);
  await loadHeads();
}

/** @param {Partial<Wishes>} change */
export function setWishes(change) {
  const now = talk.peek();
  talk.value = { ...now, wishes: { ...now.wishes, ...change } };
  if (now.messages.length > 0) void keepTalk();
}

/**
 * @param {string} model
 * @param {{ text: string, images?: string[] }} said
 */
export async function ask(model, { text, images = [] }) {
  if (answering.peek() !== null) return;
  const now = talk.peek();
  if (now.title === "") now.title = titleOf(text);
  now.messages.push({ ...emptyMessage("user"), text, images, end: "done" });
  await answer(model);
}

/**
 * The last answer again.
 *
 * @param {string} model
 */
export async function askAgain(model) {
  if (answering.peek() !== null) return;
  const all = talk.peek().messages;
  while (all.at(-1)?.role === "assistant") all.pop();
  if (all.length > 0) await answer(model);
}

export function stop() {
  answering.peek()?.stop();
}

/** What is asked in another talk does not wait until the answer in this one has ended. */
function leave() {
  stop();
  answering.value = null;
}

/** @param {string} model */
async function answer(model) {
  const now = talk.peek();
  /** @type {Message} */
  const message = { ...emptyMessage("assistant"), model };
  const body = bodyOf(now, model);
  now.messages.push(message);
  now.model = model;
  const made = new Answer(message);
  batch(() => {
    answering.value = made;
    messages.value = [...now.messages];
  });
  void keepTalk(now);
  const timer = setInterval(() => void keepTalk(now), KEEP_MS);
  await made.run(body);
  clearInterval(timer);
  batch(() => {
    if (answering.peek() === made) answering.value = null;
    tell(now);
  });
  await keepTalk(now);
  if (message.end === "failed") return;
  // Not before: who types on at once is not made to wait for a number.
  message.context = await contextOf(model);
  tell(now);
  await keepTalk(now);
}

/** @param {Talk} changed */
function tell(changed) {
  if (talk.peek().id === changed.id) messages.value = [...changed.messages];
}

/**
 * What is sent: the talk as far as it went well, and the user's wishes.
 *
 * @param {Talk} talk
 * @param {string} model
 */
function bodyOf({ wishes, messages: all }, model) {
  const { system, sampling, thinking } = wishes;
  const said = all.filter(({ role, text, end }) =>
    role === "user" || (text !== "" && end !== "failed")
  );
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      ...(system.trim() === "" ? [] : [{ role: "system", content: system }]),
      ...said.map(({ role, text, images }) => ({
        role,
        content: images.length === 0 ? text : [
          ...images.map((url) => ({ type: "image_url", image_url: { url } })),
          ...(text === "" ? [] : [{ type: "text", text }]),
        ],
      })),
    ],
    ...Object.fromEntries(Object.entries(sampling).filter(([name]) => SAMPLED.includes(name))),
    ...(thinking !== null && { chat_template_kwargs: { enable_thinking: thinking } }),
  };
}

/**
 * Asked from the instance: it knows what it was given.
 *
 * @param {string} model
 * @returns {Promise<number | null>}
 */
async function contextOf(model) {
  const row = modelById(model).peek();
  if (row?.state !== "ready") return row?.fit?.context ?? null;
  const known = `${model} ${row.pid} ${row.port}`;
  if (lastContext.known === known) return lastContext.tokens;
  try {
    const props = await api.get(`/upstream/${encodeURIComponent(model)}/props`);
    const tokens = props?.default_generation_settings?.n_ctx;
    lastContext = { known, tokens: typeof tokens === "number" ? tokens : null };
    return lastContext.tokens;
  } catch {
    // A number that is only shown: without it the answer stands all the same.
    return row.fit?.context ?? null;
  }
}

/** @type {{ known: string, tokens: number | null }} */
let lastContext = { known: "", tokens: null };

async function keepTalk(of = talk.peek()) {
  // What was wished since it was asked for is in the newer one.
  const now = talk.peek().id === of.id ? talk.peek() : of;
  // An answer that was still being written would bring it back.
  if (deleted.has(now.id)) return;
  now.changedMs = Date.now();
  try {
    await talks.keep(now);
    keepError.value = null;
    await loadHeads();
  } catch (error) {
    // The browser's room is full, or it may not keep anything: the talk itself goes on.
    keepError.value = error;
  }
}

/** @param {Talk} shown */
function show(shown) {
  batch(() => {
    talk.value = shown;
    messages.value = [...shown.messages];
  });
}

/**
 * @param {Wishes} [wishes]
 * @returns {Talk}
 */
function emptyTalk(wishes = { system: "", sampling: {}, thinking: null }) {
  return {
    id: newId(),
    title: "",
    model: "",
    changedMs: Date.now(),
    size: 0,
    wishes,
    messages: [],
  };
}

/**
 * @param {Message["role"]} role
 * @returns {Message}
 */
function emptyMessage(role) {
  return {
    id: newId(),
    role,
    text: "",
    reasoning: "",
    images: [],
    model: "",
    atMs: Date.now(),
    end: null,
    error: null,
    promptTokens: null,
    tokens: null,
    tokensPerSecond: null,
    context: null,
  };
}

/** @param {string} text */
function titleOf(text) {
  const line = text.trim().replace(/\s+/g, " ");
  const signs = [...line];
  return signs.length <= TITLE_LENGTH ? line : `${signs.slice(0, TITLE_LENGTH - 1).join("")}…`;
}
