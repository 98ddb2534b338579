import { writeFileSync } from "node:fs";
import type { Assistant } from "./assistant.ts";
import type { Phone } from "./phone.ts";

/** How "Heal now" reaches hairpin. */
export type Way = "mqtt" | "rest";

export interface Wiring {
  readonly webhookId: string;
  readonly way: Way;
  /** Seconds until "no answer". */
  readonly patience: number;
}

/** Writes the automation as the operator would paste it, with a second one that records every report, and loads both. */
export async function wire(assistant: Assistant, phone: Phone, wiring: Wiring, isRunning = true): Promise<void> {
  const byMqtt = { heal_button: ["button.hairpin_heal_now"], activity: ["event.hairpin_activity"] };
  const byRest = {
    use_heal_actions: true,
    heal_actions: [{ action: "script.hairpin_heal", data: { key: "{{ heal_key }}", reason: "{{ actor }}" } }],
  };
  const automations = [
    {
      id: "hairpin_alert",
      alias: "Hairpin alert",
      use_blueprint: {
        path: "hairpin/hairpin_alert.yaml",
        input: {
          webhook_id: wiring.webhookId,
          acknowledge: true,
          phones: phone.device === "" ? [] : [phone.device],
          answer_timeout: wiring.patience,
          ...(wiring.way === "mqtt" ? byMqtt : byRest),
        },
      },
    },
    {
      id: "recorder_of_reports",
      alias: "Recorder of reports",
      mode: "queued",
      max: 50,
      triggers: [
        { trigger: "webhook", webhook_id: wiring.webhookId, allowed_methods: ["POST"], local_only: true },
      ],
      actions: [{ action: "rest_command.record_report", data: { report: "{{ trigger.json }}" } }],
    },
  ];
  // JSON is YAML.
  writeFileSync(`${assistant.dir}/automations.yaml`, JSON.stringify(automations, null, 1));
  if (isRunning) await assistant.call("automation", "reload");
}
