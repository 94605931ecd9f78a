// Where a question is written, with pictures for models that see.

import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { toast } from "../parts/overlays.js";
import { pictureOf, picturesIn } from "./chat_images.js";

const MOST_IMAGES = 8;

/**
 * @param {{
 *   talkId: string,
 *   isAnswering: boolean,
 *   canSee: boolean,
 *   isDisabled: boolean,
 *   onAsk: (said: { text: string, images: string[] }) => void,
 *   onStop: () => void,
 * }} props
 */
export function Composer({ talkId, isAnswering, canSee, isDisabled, onAsk, onStop }) {
  const [text, setText] = useState("");
  const [images, setImages] = useState(/** @type {string[]} */ ([]));
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const lastTalk = useRef(talkId);
  const isEmpty = text.trim() === "" && images.length === 0;

  useEffect(() => {
    // Grows with its text where the browser does not do so by itself.
    const element = area.current;
    if (element === null || CSS.supports("field-sizing", "content")) return;
    element.style.setProperty("block-size", "auto");
    element.style.setProperty("block-size", `${element.scrollHeight + 2}px`);
  }, [text]);

  useEffect(() => {
    // On a phone that would open its keyboard.
    if (lastTalk.current !== talkId && !matchMedia("(pointer: coarse)").matches) {
      area.current?.focus();
    }
    lastTalk.current = talkId;
  }, [talkId]);

  /** @param {MouseEvent} event */
  const stop = (event) => {
    // Who presses "Send" twice did not change their mind.
    if (event.detail < 2) onStop();
  };
  const send = () => {
    if (isEmpty || isAnswering || isDisabled) return;
    onAsk({ text: text.trim(), images });
    setText("");
    setImages([]);
  };
  /** @param {File[]} files */
  const add = async (files) => {
    for (const file of files.slice(0, MOST_IMAGES - images.length)) {
      try {
        const url = await pictureOf(file);
        setImages((before) => [...before, url].slice(0, MOST_IMAGES));
      } catch {
        toast(t("chat.imageUnreadable", { name: file.name }), { kind: "error" });
      }
    }
  };
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    // While a word is being composed, Enter is its; on a phone it is a new line.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    send();
  };
  /** @param {ClipboardEvent} event */
  const paste = (event) => {
    const files = canSee ? picturesIn(event.clipboardData) : [];
    if (files.length === 0) return;
    event.preventDefault();
    void add(files);
  };
  /** @param {DragEvent} event */
  const drop = (event) => {
    if (!canSee) return;
    event.preventDefault();
    void add(picturesIn(event.dataTransfer));
  };
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    send();
  };
  return html`
    <form class="chat-composer" onSubmit=${submit} onDrop=${drop}
      onDragOver=${(/** @type {Event} */ event) => canSee && event.preventDefault()}>
      ${images.length > 0 && html`
        <ul class="chat-attached">
          ${images.map((url, at) =>
            html`
              <li key=${url.length + at}>
                <img src=${url} alt=${t("chat.imageNumber", { count: at + 1 })} />
                <button type="button" class="button quiet round" aria-label=${t(
                  "chat.removeImage",
                  { count: at + 1 },
                )}
                  onClick=${() => setImages(images.filter((_, other) => other !== at))}>
                  <${Icon} name="close" />
                </button>
              </li>
            `
          )}
        </ul>
      `}
      <textarea ref=${area} rows="1" value=${text} placeholder=${t("chat.placeholder")}
        aria-label=${t("chat.message")} disabled=${isDisabled} enterkeyhint="enter"
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
        onKeyDown=${press} onPaste=${paste}></textarea>
      <div class="chat-composer-actions">
        ${canSee && html`<${ImageButton} onFiles=${add} isFull=${images.length >= MOST_IMAGES} />`}
        ${isAnswering
          ? html`
            <${Button} kind="primary" icon="stop" class="chat-stop"
              onClick=${stop}>${t("chat.stop")}</${Button}>
          `
          : html`
            <${Button} kind="primary" type="submit" icon="up" class="chat-send"
              disabled=${isEmpty || isDisabled}>${t("chat.send")}</${Button}>
          `}
      </div>
    </form>
  `;
}

/** @param {{ onFiles: (files: File[]) => void, isFull: boolean }} props */
function ImageButton({ onFiles, isFull }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {any} event */
  const change = (event) => {
    onFiles([...event.currentTarget.files]);
    event.currentTarget.value = "";
  };
  return html`
    <input ref=${input} type="file" accept="image/*" multiple class="chat-file" tabindex="-1"
      aria-hidden="true"
      onChange=${change} />
    <${Button} kind="quiet" icon="image" disabled=${isFull}
      onClick=${() => input.current?.click()}>${t("chat.addImage")}</${Button}>
  `;
}
