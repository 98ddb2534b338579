import type { House } from "../config/house.ts";
import type { BrokerSight } from "./examination.ts";
import { bad, type DoctorFinding, good, unknown, warning } from "./finding.ts";

/** The way of Home Assistant's device: the broker, the login, what lies there, and whether Home Assistant was heard. */
export function brokerFindings(sight: BrokerSight, house: House, isHub: boolean | null): readonly DoctorFinding[] {
  const named = sight.isNamed
    ? [warning("mqtt", `${sight.origin} is a name: telling depends on DNS. An address is wanted.`, ["notify.mqtt.url"])]
    : [];
  if (!sight.isConnected) return [unreachable(sight, isHub), ...named];
  const restart = "systemctl status hairpin-hub   # or wherever hairpin hub runs";
  const there = `The broker at ${sight.origin} takes the login`;
  if (sight.detail !== null) {
    const text = `${there}, and its access rules hide topics from hairpin: commands would not be heard.`;
    return [bad("mqtt", text, [sight.detail], "grant it hairpin/# and homeassistant/# in the broker's ACL"), ...named];
  }
  if (sight.isOnline !== true) {
    const text = `${there}, and no hub of site ${house.site} is online there: Home Assistant shows its entities as unavailable.`;
    return [warning("mqtt", text, [], restart), ...named];
  }
  if (!sight.isDiscovered) {
    const text = `${there} and the hub is online, and ${sight.discoveryTopic} is empty: Home Assistant knows no device.`;
    return [
      bad("mqtt", text, ["The broker keeps no retained messages, or its access rules refuse the topic."]),
      ...named,
    ];
  }
  return [
    good("mqtt", `${there}, the hub is online, and its device is at ${sight.discoveryTopic}.`),
    sight.homeAssistantSeenAt === null
      ? unknown(
          "mqtt",
          `Home Assistant's birth message on ${sight.birthTopic} has not been heard yet: it comes when Home Assistant starts. Its MQTT options say whether it is sent, and with which prefix.`,
        )
      : good("mqtt", `Home Assistant's birth message was last heard at ${sight.homeAssistantSeenAt}.`),
    ...named,
  ];
}

function unreachable({ origin, detail, isRefused }: BrokerSight, isHub: boolean | null): DoctorFinding {
  const text = isRefused
    ? `The broker at ${origin} answers, and does not let hairpin in: Home Assistant shows no device.`
    : `The broker at ${origin} cannot be used: Home Assistant shows no device.`;
  const cure = isRefused
    ? "compare username and password_file of notify.mqtt with the broker's (in Home Assistant: the Mosquitto app's logins)"
    : "hairpin config check; is the broker running, and is this its address?";
  const known = [detail ?? "no answer"];
  return isHub === false
    ? warning("mqtt", `${text} From here; what counts is the hub's machine.`, known, cure)
    : bad("mqtt", text, known, cure);
}
