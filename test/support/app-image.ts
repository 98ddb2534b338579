import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DOCKERFILE = fileURLToPath(new URL("../../deploy/homeassistant/app/Dockerfile", import.meta.url));

export interface AppImage {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** What the app's Dockerfile sets and starts; `moved` says where a word of it, such as /data/options.json, lies without a container. */
export function appImage(moved: (word: string) => string): AppImage {
  const text = readFileSync(DOCKERFILE, "utf8");
  const set = /^ENV ((?:.*\\\n)*.*)$/m.exec(text)![1]!.matchAll(/(\w+)=(\S+)/g);
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(text)![1]!) as string[];
  return {
    env: Object.fromEntries([...set].map(([, name, value]) => [name!, moved(value!)])),
    command: command.map(moved),
  };
}
