// Server-sent events out of the bytes of a fetch: EventSource cannot send a key.

/**
 * @typedef {object} StreamEvent
 * @property {string} type `message` where the stream names none.
 * @property {string} data
 * @property {string | null} id
 */

/** Cuts text that comes in pieces into events. */
export class EventBlocks {
  #rest = "";

  /**
   * The events that are whole with this piece; null stands for a comment, which servers send to show
   * that they live.
   *
   * @param {string} text
   * @returns {(StreamEvent | null)[]}
   */
  take(text) {
    this.#rest += text;
    const blocks = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    return blocks.map(eventOf);
  }
}

/**
 * @param {string} block
 * @returns {StreamEvent | null}
 */
function eventOf(block) {
  let type = "message";
  /** @type {string | null} */
  let id = null;
  /** @type {string[]} */
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon === 0 || line === "") continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") type = value;
    else if (name === "id") id = value;
    else if (name === "data") data.push(value);
  }
  return data.length === 0 ? null : { type, data: data.join("\n"), id };
}
