import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Delivery } from "../../src/core/delivery.ts";
import { Assistant, type Note } from "./assistant.ts";
import { wire } from "./automations.ts";
import { House } from "./house.ts";
import { Phone, type Push, type Report } from "./phone.ts";
import { until } from "./waiting.ts";

export type Say = (text: string) => void;

/** Everything of one run: the house, a real Home Assistant in it, and a phone. */
export class Stage {
  readonly house: House;
  readonly assistant: Assistant;
  readonly phone: Phone;
  readonly dir: string;
  readonly webhookId: string;
  readonly #say: Say;
  readonly #began: number;

  private constructor(house: House, assistant: Assistant, phone: Phone, dir: string, say: Say, began: number) {
    this.house = house;
    this.assistant = assistant;
    this.phone = phone;
    this.dir = dir;
    this.webhookId = house.secret("webhook_id_file");
    this.#say = say;
    this.#began = began;
  }

  static async set(version: string, say: Say): Promise<Stage> {
    const dir = mkdtempSync(`${tmpdir()}/hairpin-e2e-`);
    const began = performance.now();
    let house: House | null = null;
    try {
      house = await House.raise(dir);
      say(line(performance.now() - began, performance.now() - began, "the house of the lab stands"));
      const phone = await Phone.open(house, dir);
      const before = performance.now();
      mkdirSync(`${dir}/ha`);
      const assistant = new Assistant(house, version, `${dir}/ha`);
      const stage = new Stage(house, assistant, phone, dir, say, began);
      await wire(assistant, phone, { webhookId: stage.webhookId, way: "mqtt", patience: 20 }, false);
      await assistant.start();
      say(line(performance.now() - began, performance.now() - before, `Home Assistant ${version} runs`));
      return stage;
    } catch (error) {
      await house?.stop();
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Does one step of the story, and prints when it was done and how long it took. */
  async step<T>(what: string, act: () => Promise<T>): Promise<T> {
    const before = performance.now();
    try {
      const result = await act();
      const detail = typeof result === "string" ? `: ${result}` : "";
      this.#say(line(performance.now() - this.#began, performance.now() - before, `${what}${detail}`));
      return result;
    } catch (error) {
      this.#say(line(performance.now() - this.#began, performance.now() - before, `✘ ${what}`));
      throw error;
    }
  }

  note(text: string): void {
    this.#say(`${" ".repeat(18)}  ${text}`);
  }

  async deliveries(): Promise<readonly Delivery[]> {
    const answer = await this.house.hub<{ deliveries: Delivery[] }>("GET", "/v1/deliveries");
    return answer.body.deliveries.filter((row) => row.subscriber !== "mqtt");
  }

  /** The note under the bell that the blueprint made, once it is one that is wanted. */
  noteUnderBell(wanted: (note: Note) => boolean, limitMs: number, what: string): Promise<Note> {
    return until(async () => (await this.assistant.bell()).find(wanted) ?? null, limitMs, what);
  }

  push(wanted: (push: Push) => boolean, from: number, limitMs: number, what: string): Promise<Push> {
    return until(() => this.phone.pushes.slice(from).find(wanted) ?? null, limitMs, what);
  }

  report(event: string, from: number, limitMs: number): Promise<Report> {
    const look = () => this.phone.reports.slice(from).find((report) => report.event === event) ?? null;
    return until(look, limitMs, `a report of ${event} in Home Assistant`);
  }

  confirmed(id: string, limitMs: number): Promise<Delivery> {
    const look = async () => (await this.deliveries()).find((row) => row.id === id && row.state === "confirmed") ?? null;
    return until(look, limitMs, `the delivery ${id} to be confirmed`);
  }

  /** The house is well, and the hub says so. */
  async green(limitMs = 90_000): Promise<void> {
    const look = async () => (await this.house.hub<{ state: string }>("GET", "/v1/status")).body.state === "ok" || null;
    await until(look, limitMs, "the house to be green");
  }

  async clear(keep = false): Promise<void> {
    await this.assistant.close();
    this.phone.close();
    await this.house.stop();
    if (!keep) rmSync(this.dir, { recursive: true, force: true });
  }
}

function line(at: number, took: number, text: string): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`.padStart(8);
  return `${seconds(at)} ${seconds(took)}  ${text}`;
}
