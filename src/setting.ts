// What one row of the table of settings says.

import type { Config } from "./config_type.ts";
import type { Kind } from "./setting_kinds.ts";

export type SettingProperty = Exclude<keyof Config, "sources">;

export interface SettingOf<T> {
  /** Key in `config.json` and in /admin/settings. */
  readonly name: string;
  /** Without the dashes. */
  readonly flag: string | null;
  readonly environment: string | null;
  /** Read from flag and environment only: it decides what runs or who may reach it. */
  readonly locked: boolean;
  /** Its value is never repeated in a message. */
  readonly secret?: boolean;
  readonly kind: Kind<T>;
  /** As text for `kind`; null = the value null; "" = an empty list. */
  readonly fallback: string | null;
  /** What null or an empty list means. */
  readonly fallbackText?: string;
  readonly help: string;
}

export interface Setting extends SettingOf<unknown> {
  readonly property: SettingProperty;
}
