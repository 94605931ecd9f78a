// A talk in the page: what is said, where the answers are, and an answer of all that there can be.

import type { Locator } from "playwright-core";
import type { OpenPage } from "./browser.ts";

export const MARKDOWN = "Here is **what you asked** for:\n\n1. first `thing`\n2. second thing\n\n" +
  "```js\nconst answer = 42;\nconsole.log(answer);\n```\n\n" +
  "| name | value |\n| --- | --- |\n| one | 1 |\n\n" +
  "More at [the docs](https://example.com/docs).\n\n- a < b & c\n- [x] done";

export async function say(opened: OpenPage, text: string): Promise<void> {
  await opened.page.getByRole("textbox", { name: "Your message" }).fill(text);
  await opened.page.keyboard.press("Enter");
}

export function answersOf(opened: OpenPage): Locator {
  return opened.page.locator(".chat-message.assistant");
}
