import type { TextRule } from "../core/plan.ts";
import { plain } from "./finding.ts";

/** Of a text that is quoted in a finding. */
const QUOTED_MAX = 80;

/** What of the rule a text breaks, in words; null: nothing. A text that is missing (null) holds nothing, and lacks everything. */
export function ruleProblem(rule: TextRule, text: string | null): string | null {
  const missing = (rule.contains ?? []).find((part) => text === null || !text.includes(part));
  if (rule.equals !== undefined && text !== rule.equals)
    return text === null
      ? `is missing, expected ${quoted(rule.equals)}`
      : `is ${quoted(text)}, expected ${quoted(rule.equals)}`;
  if (missing !== undefined)
    return text === null
      ? `is missing, expected with ${quoted(missing)}`
      : `does not contain ${quoted(missing)}: ${quoted(text)}`;
  const present = (rule.lacks ?? []).find((part) => text?.includes(part) === true);
  return present === undefined ? null : `contains ${quoted(present)}`;
}

const quoted = (text: string): string => JSON.stringify(plain(text, QUOTED_MAX));
