// The search over the Hub: repositories as they are typed for, each with its files when it is opened.

import { html } from "htm/preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { api, segment } from "../api.js";
import { formatTime, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Icon } from "../parts/icon.js";
import { Empty, ErrorNote } from "../parts/words.js";
import { useAnswer, useLaterSpeeds } from "./get_ask.js";
import { HubLink, isWantedOfHub, wanted } from "./get_catalogue.js";
import { FileList } from "./get_files.js";
import { countText, hubPage, languagesText, licenceText } from "./get_words.js";

/** @import { ApiError } from "../api.js" */
/** @import { HubRepo, HubRepoRow } from "../../src/api_types.ts" */
/** @typedef {{ repos: HubRepoRow[], cursor: string | null }} Found */

const TYPING_MS = 350;
const LEAST_LETTERS = 2;
const NAME = /^[\w.-]+\/[\w.-]+$/;

/** @param {{ words: string }} props */
export function HubSearch({ words }) {
  const query = words.length < LEAST_LETTERS ? null : words;
  const path = query === null ? null : searchPath(query, null);
  const { value, error, isAsking, again } = useAnswer(path, { delayMs: TYPING_MS });
  const found = /** @type {Found | null} */ (value);
  const [more, setMore] = useState(/** @type {Found} */ ({ repos: [], cursor: null }));
  useEffect(() => setMore({ repos: [], cursor: found?.cursor ?? null }), [found]);
  const asked = useRef(query);
  asked.current = query;
  if (query === null) return null;

  const repos = distinct([...(found?.repos ?? []), ...more.repos]);
  const shown = repos.filter(isWantedOfHub);
  async function showMore() {
    /** @type {Found} */
    const next = await api.get(searchPath(/** @type {string} */ (query), more.cursor));
    if (asked.current === query) {
      setMore((before) => ({ repos: [...before.repos, ...next.repos], cursor: next.cursor }));
    }
  }
  return html`<section class="get-hub" aria-labelledby="get-hub-title" aria-busy=${isAsking}>
    <h2 id="get-hub-title">${t("get.hub_title")}</h2>
    <p class="muted get-count" role="status">${
    isAsking ? t("get.searching") : error !== null ? "" : countOf(shown.length, repos.length)
  }</p>
    ${error !== null && html`<${HubError} error=${error} onRetry=${again} />`}
    ${
    error === null && !isAsking && repos.length === 0 &&
    html`<${Empty} title=${t("get.hub_none_title")} text=${t("get.hub_none_text")} />`
  }
    ${
    error === null && html`<ul class="get-repos">
      ${
      shown.map((row) =>
        html`
          <${RepoCard} key=${row.repo} row=${row}
            isOpenAtFirst=${row.repo.toLowerCase() === query.toLowerCase()} />
        `
      )
    }
    </ul>`
  }
    ${
    error === null && more.cursor !== null && repos.length > 0 &&
    html`
      <div class="get-hub-more">
        <${Button} kind="plain" onClick=${showMore}>${t("get.show_more")}</${Button}></div>
    `
  }
  </section>`;
}

/**
 * @param {string} query
 * @param {string | null} cursor
 */
function searchPath(query, cursor) {
  const more = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return `/admin/hub/search?q=${encodeURIComponent(query)}${more}`;
}

/**
 * @param {number} shown
 * @param {number} all
 */
function countOf(shown, all) {
  return shown === all
    ? t("get.hub_count_all", { count: all })
    : t("get.hub_count", { shown, count: all });
}

/**
 * @param {readonly HubRepoRow[]} rows
 * @returns {HubRepoRow[]}
 */
function distinct(rows) {
  return [...new Map(rows.map((row) => [row.repo, row])).values()];
}

/** @param {{ row: HubRepoRow, isOpenAtFirst: boolean }} props */
function RepoCard({ row, isOpenAtFirst }) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const panel = useId();
  const [org, name] = row.repo.split("/");
  const facts = [
    row.parameters === null ? null : t("get.parameters_of", { count: countText(row.parameters) }),
    !row.downloads ? null : t("get.downloads_of", { count: countText(row.downloads) }),
    row.license === null ? null : licenceText(row.license),
    row.languages.length === 0 ? null : languagesText(row.languages),
  ].filter((fact) => fact !== null);
  return html`
    <li class="card get-repo">
      <h3><button type="button" class="get-repo-open" aria-expanded=${isOpen}
          aria-controls=${panel} onClick=${() => setOpen(!isOpen)}>
          <span class="get-repo-name"><span class="muted">${org}/</span><wbr />${name}</span>
          <${Icon} name=${isOpen ? "up" : "down"} />
      </button></h3>
      <p class="get-repo-facts">
          ${row.gated !== false && html`<span class="tag get-gated">${t("get.gated_tag")}</span>`}
          ${row.languages.includes("bn") &&
            html`<span class="tag get-bengali" lang="bn">বাংলা</span>`}
          ${facts.map((fact) => html`<span key=${fact}>${fact}</span>`)}
      </p>
      <div id=${panel}>${isOpen && html`<${RepoFiles} repo=${row.repo} />`}</div>
    </li>
  `;
}

/** @param {{ repo: string }} props */
function RepoFiles({ repo }) {
  const path = NAME.test(repo)
    ? `/admin/hub/repos/${repo.split("/").map(segment).join("/")}`
    : null;
  const { value, error, isAsking, again } = useAnswer(path);
  const known = /** @type {HubRepo | null} */ (value);
  useLaterSpeeds(known?.models ?? null, again);
  if (known === null) {
    if (error !== null) return html`<${HubError} error=${error} onRetry=${again} />`;
    return html`<p class="muted" role="status">${isAsking ? t("get.reading_files") : ""}</p>`;
  }
  const files = [...known.models].sort((a, b) => a.size_bytes - b.size_bytes).filter(({ badge }) =>
    !wanted.fits.value || (badge !== null && badge.level !== "not_recommended")
  );
  const name = repo.slice(repo.indexOf("/") + 1);
  return html`<div class="get-repo-files">
    ${
    known.gated !== false &&
    html`<${GatedSteps} repo=${repo} isManual=${known.gated === "manual"} />`
  }
    ${
    known.offline &&
    html`<p class="get-note">${t("get.offline_since", { time: formatTime(known.fetched_at) })}</p>`
  }
    ${
    files.length === 0
      ? html`<p class="muted">${
        t(known.models.length === 0 ? "get.no_files" : "get.no_files_fit")
      }</p>`
      : html`<${FileList} repo=${repo} files=${files} name=${name} />`
  }
    <p class="muted">${t("get.source")}: <${HubLink} repo=${repo} /></p>
  </div>`;
}

/** @param {{ repo: string, isManual: boolean }} props */
function GatedSteps({ repo, isManual }) {
  return html`
    <div class="get-note">
      <p>${t("get.gated_why")}</p>
      <ol>
        <li><a href=${hubPage(repo)} target="_blank" rel="noopener noreferrer">${t(
          "get.gated_open",
        )}<span class="visually-hidden"> ${t("get.new_tab")}</span></a></li>
        <li>${t(isManual ? "get.gated_ask" : "get.gated_accept")}</li>
        <li>${t("get.gated_token")} <code>HF_TOKEN</code></li>
      </ol>
    </div>
  `;
}

/**
 * An error of the Hub; with what works nevertheless where it is not reached.
 *
 * @param {{ error: ApiError, onRetry: () => void }} props
 */
export function HubError({ error, onRetry }) {
  const { repo } = error.values;
  return html`<div class="stack">
    <${ErrorNote} error=${error} onRetry=${onRetry} />
    ${error.code === "hub_unreachable" && html`<p class="muted">${t("get.offline_help")}</p>`}
    ${
    error.code === "hub_gated" && typeof repo === "string" &&
    html`<${GatedSteps} repo=${repo} isManual=${false} />`
  }
  </div>`;
}
