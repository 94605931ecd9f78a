import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import type { RequestRow } from "../../src/api_types.ts";
import { HELLO_SENTENCE, writeTestModel } from "../../src/models/hello_model.ts";
import { type OpenPage, openPage } from "../support/browser.ts";
import { ggufFile, LASTING_MODEL, THINKING_MODEL } from "../support/gguf_files.ts";
import { bodyOf, writeRecordingServer } from "../support/recording_server.ts";
import { startServer, until } from "../support/server_process.ts";
import { modelBytes } from "../support/model_home.ts";
import { answersOf, MARKDOWN, say } from "../support/page_chat.ts";
import { tempDir } from "../support/temp_dir.ts";

const DOORS = "28530-28550";

Deno.test("ChatView() shows markdown, code that is copied, and what the answer took", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, "writer.gguf"), { sentence: MARKDOWN }),
  });
  await using opened = await openPage({ server, path: "#/chat/writer" });
  const { page } = opened;
  await opened.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await say(opened, "hi");
  const answer = answersOf(opened);
  await answer.getByText("done").waitFor();
  await answer.getByText(/^\d+ of 8,192 tokens of context/).waitFor();
  await answer.getByText(/\d+ tokens$/).waitFor();
  await answer.getByText(/tokens a second|tokens\/s/).waitFor();
  equal(await answer.locator("strong").innerText(), "what you asked");
  equal(await answer.locator("ol > li").count(), 2);
  equal(await answer.locator("td").first().innerText(), "one");
  const link = answer.getByRole("link", { name: "the docs" });
  equal(await link.getAttribute("rel"), "noopener noreferrer");
  equal(await link.getAttribute("target"), "_blank");
  ok((await answer.innerText()).includes("a < b & c"));
  await answer.locator(".markdown-code").getByRole("button", { name: "Copy" }).click();
  const code = "const answer = 42;\nconsole.log(answer);";
  equal(await answer.locator(".markdown-code code").textContent(), code);
  // What is copied is there a moment after the click.
  const copied = () => page.evaluate<string>("navigator.clipboard.readText()");
  await until(async () => await copied() === code);
  await answer.getByRole("button", { name: "Copy the answer" }).click();
  await until(async () => await copied() === MARKDOWN);
  await opened.screenshot("chat-answer");
});

Deno.test("ChatView() stops an answer: the model stops as well", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), LASTING_MODEL),
  });
  await using opened = await openPage({ server, path: "#/chat/endless" });
  const { page } = opened;
  await say(opened, "hi");
  await answersOf(opened).getByText(/one two three four/).waitFor();
  await page.locator(".chat-progress").getByText(/\d+ a second/).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await answersOf(opened).getByText("You stopped it here.").waitFor();
  await until(async () => {
    const requests = await server.json<RequestRow[]>("/admin/requests");
    return requests.find(({ route }) => route.endsWith("/chat/completions"))?.state === "cancelled";
  });
  equal((await server.json<{ leases: number }>("/admin/models/endless")).leases, 0);
  const before = await answersOf(opened).locator(".markdown").innerText();
  ok(before.length > 0);
  // It can be asked again at once.
  await page.getByRole("button", { name: "Answer again" }).click();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await answersOf(opened).getByText("You stopped it here.").waitFor();
  equal(await answersOf(opened).count(), 1);
});

Deno.test("ChatView() keeps talks in the browser, opens, exports and deletes them", async () => {
  await using server = await startServer({ doors: DOORS });
  await using opened = await openPage({ server, path: "#/chat/hello" });
  const { page } = opened;
  await say(opened, "my first question");
  await answersOf(opened).getByText(HELLO_SENTENCE).waitFor();
  await page.getByRole("button", { name: "New talk" }).first().click();
  await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
  await say(opened, "my second question");
  await answersOf(opened).getByText(/tokens$/).first().waitFor();
  const talks = page.getByRole("complementary", { name: "Talks" });
  await talks.getByText("my second question").waitFor();
  await page.reload();
  await talks.getByText("my second question").waitFor();
  equal(await talks.getByRole("listitem").count(), 2);
  await talks.getByText("my first question").click();
  await answersOf(opened).getByText(HELLO_SENTENCE).waitFor();
  equal(await answersOf(opened).count(), 1);

  const [markdown, json] = [
    await saved(opened, "Text (Markdown)"),
    await saved(opened, "Data (JSON)"),
  ];
  equal(markdown.name, "my-first-question.md");
  match(
    markdown.text,
    /^# my first question\n[^]*## You\n\nmy first question\n\n## hello\n\nHello from/,
  );
  const talk = JSON.parse(json.text);
  equal(talk.model, "hello");
  equal(talk.messages[1].content, HELLO_SENTENCE);

  await talks.getByRole("button", { name: "Delete the talk “my first question”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await talks.getByText("my first question").waitFor({ state: "detached" });
  await page.reload();
  await talks.getByText("my second question").waitFor();
  equal(await talks.getByRole("listitem").count(), 1);
});

async function saved(opened: OpenPage, kind: string): Promise<{ name: string; text: string }> {
  const { page } = opened;
  await page.getByRole("button", { name: "Save as" }).click();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: kind }).click();
  const download = await coming;
  return {
    name: download.suggestedFilename(),
    text: await Deno.readTextFile(await download.path()),
  };
}

Deno.test("ChatView() folds what a model thought", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, "thinker.gguf"), THINKING_MODEL),
  });
  await using opened = await openPage({ server, path: "#/chat/thinker" });
  await say(opened, "two and two?");
  const answer = answersOf(opened);
  await answer.getByText("It is four.").waitFor();
  const thought = answer.getByText("Two and two.");
  equal(await thought.isVisible(), false);
  await answer.getByText("What it thought first").click();
  await thought.waitFor();
});

Deno.test("ChatView() says why a model did not answer, and tries again", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => Deno.writeFile(join(home, "from-tomorrow.gguf"), modelBytes("tomorrow")),
  });
  await using opened = await openPage({ server, path: "#/chat/from-tomorrow" });
  const { page } = opened;
  await say(opened, "hi");
  const note = answersOf(opened).getByRole("alert");
  await note.getByText(/does not know the architecture "tomorrow"/).waitFor();
  await opened.screenshot("chat-failed");
  await note.getByRole("button").click();
  await note.waitFor();
  equal(await answersOf(opened).count(), 1);
  await page.getByRole("combobox", { name: "Model" }).selectOption("hello");
  await page.getByRole("button", { name: "Answer again" }).or(note.getByRole("button")).first()
    .click();
  await page.getByText(HELLO_SENTENCE).waitFor();
});

Deno.test("ChatView() shows pictures to a model that sees, and sends what was set", async () => {
  await using dir = await tempDir();
  const recording = await writeRecordingServer(dir.path);
  await using server = await startServer({
    doors: DOORS,
    flags: ["--llama-server", recording.path],
    prepare: writeEye,
  });
  await using opened = await openPage({ server, path: "#/chat/eye" });
  const { page } = opened;
  await page.getByRole("button", { name: "Instructions" }).click();
  const drawer = page.getByRole("dialog", { name: "Instructions" });
  await drawer.getByRole("textbox", { name: "What the model should know and be" }).fill(
    "You are kind",
  );
  await drawer.getByRole("spinbutton", { name: "Temperature" }).fill("0.3");
  await drawer.getByRole("spinbutton", { name: "Top K" }).fill("20");
  await opened.screenshot("chat-drawer");
  await opened.axe();
  await page.keyboard.press("Escape");
  const picture = await page.screenshot({ clip: { x: 0, y: 0, width: 200, height: 100 } });
  await page.locator(".chat-file").setInputFiles({
    name: "a.png",
    mimeType: "image/png",
    buffer: picture,
  });
  await page.getByRole("img", { name: "Picture 1" }).waitFor();
  await opened.screenshot("chat-picture");
  await say(opened, "What is it?");
  // The recording server answers in one piece, which is no stream.
  await answersOf(opened).getByRole("alert").waitFor();
  const request = (await recording.requests()).find(({ path }) =>
    path.endsWith("/chat/completions")
  );
  const body = JSON.parse(new TextDecoder().decode(bodyOf(request!)));
  equal(body.temperature, 0.3);
  equal(body.top_k, 20);
  deepEqual(body.messages[0], { role: "system", content: "You are kind" });
  const [image, text] = body.messages[1].content;
  match(image.image_url.url, /^data:image\/jpeg;base64,/);
  deepEqual(text, { type: "text", text: "What is it?" });
});

Deno.test("ChatView() says that a talk is longer than the model's context", async () => {
  await using server = await startServer({ doors: DOORS });
  await using opened = await openPage({ server, path: "#/chat/hello" });
  await say(opened, "many words ".repeat(1_500));
  const note = answersOf(opened).getByRole("alert");
  await note.getByText(/The talk has [\d,]+ tokens, the model can keep 8,192 in mind/).waitFor();
  await opened.page.getByRole("button", { name: "বাংলা" }).click();
  await note.getByText(/আলাপে [০-৯,]+ টোকেন আছে, মডেল মনে রাখতে পারে ৮,১৯২/).waitFor();
});

async function writeEye(home: string): Promise<void> {
  await Deno.mkdir(join(home, "eye"));
  await writeTestModel(join(home, "eye", "eye.gguf"), { sentence: "I see you" });
  const projector = ggufFile({
    "general.architecture": { string: "clip" },
    "general.type": { string: "mmproj" },
    "clip.has_vision_encoder": { bool: true },
  });
  await Deno.writeFile(join(home, "eye", "mmproj-eye-f16.gguf"), projector);
}

Deno.test("ChatView() has nothing that axe objects to, in both languages and themes", async () => {
  await using server = await startServer({
    doors: DOORS,
    prepare: (home) => writeTestModel(join(home, "writer.gguf"), { sentence: MARKDOWN }),
  });
  for (const [language, theme] of [["en", "light"], ["bn", "dark"]] as const) {
    const viewport = { width: theme === "dark" ? 360 : 1280, height: 800 };
    await using opened = await openPage({
      server,
      path: "#/chat/writer",
      language,
      theme,
      viewport,
    });
    const { page } = opened;
    await page.locator(".chat-greeting").waitFor();
    await opened.screenshot("chat-empty");
    await opened.axe();
    await page.locator(".chat-greeting .button").nth(1).click();
    await answersOf(opened).locator(".chat-context").waitFor();
    await opened.axe();
    await opened.screenshot("chat");
    equal(await page.evaluate("document.querySelector('main').scrollWidth <= innerWidth"), true);
  }
});
