// Why the server does not take a value, in the user's language and at the value's field.

import { ApiError } from "../api.js";
import { formatNumber, hasText, t } from "../i18n.js";

/** @import { SettingField } from "./settings_fields.js" */

/**
 * Null where it is no word about the value: then the failure is for errorText().
 *
 * @param {unknown} error
 * @param {{ of: "server" | "model", field: SettingField }} where
 * @returns {string | null}
 */
export function refusalText(error, { of, field }) {
  if (!(error instanceof ApiError) || error.code !== "invalid_request") return null;
  const { values } = error;
  if (typeof values.flag === "string") return argumentText(values);
  if (typeof values.path === "string") return t("settings.wants.path", { path: values.path });
  if (typeof values.alias === "string") {
    return t("settings.wants.alias", { alias: values.alias, model: String(values.model ?? "") });
  }
  const own = `settings.wants.${of}.${field.name}`;
  return t(hasText(own) ? own : `settings.wants.${field.kind}`);
}

/** @param {Record<string, unknown>} values */
function argumentText(values) {
  const reason = `settings.argument.${values.reason}`;
  return t(hasText(reason) ? reason : "settings.argument.unlisted", {
    flag: values.flag,
    value: values.value ?? "",
    words: values.words ?? "",
    least: shownNumber(values.least),
    most: shownNumber(values.most),
  });
}

/** @param {unknown} value */
function shownNumber(value) {
  return typeof value === "number" ? formatNumber(value) : "";
}
