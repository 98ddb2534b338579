/**
 * What each key of hairpin.yaml means: its unit, its default's reason, what goes wrong without it. Editors show these (hairpin.schema.json),
 * and docs/configuration.md is made of them. Apart from the schema, so that no running process carries the words.
 *
 * `*` stands for a name that the owner chooses, `[]` for each entry of a list. `links.*` is described by `link`, `speakers.*` by
 * `speaker`, `hosts.*` by `host`, and a check of the edge by that of a target.
 */
export const DESCRIPTIONS: Readonly<Record<string, string>> = {
  $schema: "For editors: where hairpin.schema.json is.",
  site: "The name of this house, as events, pages and metrics carry it. Signed reports name it, so that those of another house are refused.",
  schedule:
    "How often every check is asked: cron with six fields, seconds first, in UTC. With heal.mode auto a gap over 60 s is an error, since votes would be stale; a vantage that sees a failure asks again at once, whatever stands here.",
  targets:
    "What must be reachable, by a name of your choice. Each also gets the neighbour check: which MAC answers for the address.",
  "targets.*.address": "The address, or a list of up to 8 for both families; each is judged by itself.",
  "targets.*.service":
    "Its Kubernetes Service as namespace/name. With it a backend without ready endpoints, or an address that is not advertised, is told from a dead link.",
  "targets.*.link": "The link that announces it, where several are declared.",
  "targets.*.checks":
    "What is asked of it, each entry with exactly one kind. Only layer 2 (who-has, no reply, unreachable) ever votes for a repair; the rest is told.",
  "targets.*.checks[].dns": "A DNS question to the address.",
  "targets.*.checks[].dns.name": "The name that is asked for.",
  "targets.*.checks[].dns.type": "The record's type.",
  "targets.*.checks[].dns.expect": "The records that must come, exactly these; without it any answer is good.",
  "targets.*.checks[].dns.transport":
    "UDP; TCP, which also says whether the address refuses; or tls, DNS over TLS with the certificate judged besides.",
  "targets.*.checks[].dns.server_name":
    "With transport tls: the name that the certificate must be for; without it, the address itself.",
  "targets.*.checks[].dns.ca_file": "With transport tls: the authority in PEM form, where the system does not know it.",
  "targets.*.checks[].dns.ad": "The resolver must vouch for the answer by DNSSEC (the AD flag).",
  "targets.*.checks[].dns.rrsig": "A DNSSEC signature must come with the records.",
  "targets.*.checks[].dns.as_system":
    "Asks the vantage's own resolver too, by c-ares as Home Assistant does and by libc, and tells when the name leads elsewhere there, or nowhere, such as to a public address after Home Assistant OS fell back to a public resolver. It fails no check and votes for no repair. For A and AAAA.",
  "targets.*.checks[].dns.upstream":
    "The answer says something of the Internet behind the resolver, not of the address.",
  "targets.*.checks[].dns.port": "The resolver's port.",
  "targets.*.checks[].dns.schedule": "A schedule of its own.",
  "targets.*.checks[].https":
    "A GET over HTTPS straight to the address, with the host name in SNI and Host: DNS is another check's question.",
  "targets.*.checks[].https.host": "The host name that is served there.",
  "targets.*.checks[].https.path": "The path that is asked for.",
  "targets.*.checks[].https.port": "The port.",
  "targets.*.checks[].https.status":
    "Statuses that are good; redirects are not followed, so list 302 where the login redirects.",
  "targets.*.checks[].https.ca_file":
    "The authority that signed the certificate, in PEM form, where the system does not know it.",
  "targets.*.checks[].https.cert_days_min": "The certificate is told as expiring below so many days.",
  "targets.*.checks[].https.body":
    "What the page must hold, letter by letter: a sign-in page that answers 200 with an error on it is found this way. At most 64 KiB are read.",
  "targets.*.checks[].https.body.equals": "The whole text.",
  "targets.*.checks[].https.body.contains": "Texts that must all be in it.",
  "targets.*.checks[].https.body.lacks": "Texts that must not be in it.",
  "targets.*.checks[].https.headers": "Headers of the answer by their names, and what each must say.",
  "targets.*.checks[].https.headers.*.equals": "The whole value.",
  "targets.*.checks[].https.headers.*.contains": "Texts that must all be in it.",
  "targets.*.checks[].https.headers.*.lacks": "Texts that must not be in it; a header that is absent lacks everything.",
  "targets.*.checks[].https.schedule": "A schedule of its own.",
  "targets.*.checks[].oidc":
    "The OpenID discovery document, as Home Assistant's login reads it: status, JSON, issuer, keys, and where its endpoints lead. Hosts of other https checks are asked and resolved at the guarded resolver too; a host that nobody declared never is.",
  "targets.*.checks[].oidc.issuer": "The issuer, exactly as the application has it, with its last slash.",
  "targets.*.checks[].oidc.algorithm":
    "How Home Assistant wants id tokens signed, such as RS256: the document must offer it.",
  "targets.*.checks[].oidc.port": "The port; the issuer's, else 443.",
  "targets.*.checks[].oidc.ca_file":
    "The authority that signed the certificate, in PEM form; without it, that of an https check of the same name, else the system's.",
  "targets.*.checks[].oidc.schedule": "A schedule of its own.",
  "targets.*.checks[].tcp": "Whether a connection is accepted.",
  "targets.*.checks[].tcp.port": "The port.",
  "targets.*.checks[].tcp.schedule": "A schedule of its own.",
  link: "The macvlan on the Kubernetes host that MetalLB announces on. Without it hairpin only watches. `ip -d link` shows yours.",
  "link.name": "The interface's name.",
  "link.parent": "What it lies on: the bridge, or the card.",
  "link.mac": "Its MAC, fixed: clients' ARP entries stay valid when it is made anew. It must not be the parent's.",
  "link.mode": "The macvlan's mode. bridge is what reaches both the LAN and the VMs.",
  "link.sysctl":
    "Settings below net.ipv4.conf of this link. A new link takes them from conf.default, so they are set again with it.",
  "link.sysctl.rp_filter":
    "Reverse path filter. 0, since answers to these addresses leave by another interface; conf.all counts too when it is greater.",
  "link.sysctl.arp_ignore":
    "1: the kernel answers ARP only for addresses of this link, so that the speaker is the one who answers.",
  "link.addresses": "Addresses of its own with their prefix length, set again with the link; mostly none.",
  "link.fdb_local":
    "An entry for its MAC in the bridge's table, which stops the bridge from flooding what is meant for it.",
  "link.also": "Other nodes that may announce, each with its MAC: an answer from one of these is no conflict.",
  "link.host": "Which of hosts it is on, where there are several.",
  "link.speaker": "Which of speakers announces on it, where there are several.",
  links: "Several links, by name, in place of link; each target then says which one is its.",
  speaker:
    "The MetalLB speaker of that host, and how Kubernetes is asked about it. Without it no step touches Kubernetes.",
  "speaker.namespace": "MetalLB's namespace.",
  "speaker.selector": "The labels of the speaker's pods. Never empty: it would mean every pod.",
  "speaker.node": "The node's name in Kubernetes.",
  "speaker.kubeconfig_file":
    "The kubeconfig of the host process, mode 0600; `hairpin kubeconfig` writes it and checks its rights.",
  "speaker.services":
    "The Services that the step announce may annotate, where that right was given (deploy/kubernetes/announce).",
  speakers: "Several speakers, by a name of your choice, in place of speaker.",
  host: "The host process on the Kubernetes host: it guards the link and runs the repairs.",
  "host.listen":
    "Where its hook listens for the hub: a unix socket, whose file mode is the permission, or ADDRESS:PORT with signed requests.",
  "host.armed": "Whether it runs remedies at all. The hub's heal.mode alone is not enough: both must say so.",
  "host.guard":
    "Whether it puts back at once a declared link that is missing, down or wrong. Works without arming and without a hub.",
  "host.journal": "The directory of its journal: every repair is written there before its first command.",
  "host.key_file": "The key that signs the hub's requests, wanted when listen is an address (whsec_…, mode 0600).",
  hosts: "Several hosts, by a name of your choice, in place of host.",
  vantages:
    "Who looks, by a name of your choice. What they see differently is the diagnosis; two votes are wanted for a repair.",
  "vantages.*.where":
    "vm: a guest of the host; lan: a machine on the LAN; routed: behind a router, no layer 2 of its own; host: the Kubernetes host, which gives facts and never votes.",
  "vantages.*.key_file":
    "Its own key (whsec_…, mode 0600). `hairpin token vantage NAME` makes it and prints the join token.",
  "vantages.*.optional": "Its silence is not told: a laptop.",
  "vantages.*.muted": "Its observations are kept and shown, and cast no vote.",
  "vantages.*.heal": "The button on its page in Home Assistant may ask for a repair.",
  control: "How a vantage tells its own broken path from a broken address. One whose control fails casts no vote.",
  "control.gateway": "auto: the default gateway of each vantage; an address; or null, for a network without one.",
  "control.reference": "A resolver as ADDRESS:PORT that MetalLB does not serve; guarded addresses are refused here.",
  hub: "The process that compares what the vantages see, decides, and tells.",
  "hub.listen":
    "Where it listens: ADDRESS:PORT or unix:/path, up to 8 of them. The socket is for commands on this machine.",
  "hub.url": "What vantages and Home Assistant dial: an address, never a name, since DNS may be what is broken.",
  "hub.data": "The directory of its store.",
  "hub.tokens": "Bearer tokens for people, Home Assistant and scripts.",
  "hub.tokens[].name": "Whose it is, as the log and the events have it.",
  "hub.tokens[].scopes":
    "heal; ack: confirms that an alert was shown; read: the status, where hub.private is true; pause: pause, resume, reset-breaker, test, replay.",
  "hub.tokens[].from": "Addresses or networks that may use it; empty: any.",
  "hub.tokens[].token_file": "The file of the token, mode 0600, at least 16 characters.",
  "hub.resolvers":
    "Resolvers for every outgoing name (ntfy, chat, edge). Never a guarded address: the hub would fall silent when it is needed.",
  "hub.private": "Status, events and page want a token with the scope read.",
  "hub.hosts":
    "Further Host headers that are answered, besides the addresses it listens on: a name of yours, or a proxy's.",
  "hub.tls": "Serve HTTPS. Join tokens and CLI then use https://.",
  "hub.tls.cert_file": "The certificate with its chain, in PEM form.",
  "hub.tls.key_file": "Its private key, in PEM form.",
  heal: "When the hub repairs what it infers. The guard of the host is apart, and so is what a person asks for.",
  "heal.mode": "observe: says what it would do; auto: does it, behind every gate; off: not even when a person asks.",
  "heal.confirm":
    "So long without one good sample from any voter, before a remedy starts. Shorter heals what would have gone by itself.",
  "heal.quorum":
    "Votes that are wanted: from distinct keys on distinct machines, or one vantage and a signed fact of the host. 1 allows at most 2 remedies a day.",
  "heal.vm_path": "Whether a fault that only VMs see is repaired, after twice the confirmation.",
  "heal.budget": "How many remedies may start; the host counts for itself as well.",
  "heal.budget.hour": "In any sliding hour of time that the process really saw pass.",
  "heal.budget.day": "The same for a day.",
  "heal.cool_down": "Between two remedies; it doubles with each heal of the last 24 h, up to 2 h.",
  "heal.grace": "After a start no remedy runs until every voter was heard four times, at most for so long.",
  "heal.verify": "How long the vantage that saw the failure has to see the repair.",
  "heal.verify.announce": "After announce: a gratuitous ARP works at once, or not at all.",
  "heal.verify.others": "After every other step.",
  "heal.flap":
    "Damping: a group that keeps failing and recovering is told, and left alone. Each failure adds 1000 to a penalty.",
  "heal.flap.suppress": "From this penalty on no remedy starts.",
  "heal.flap.reuse": "Below this one it may again.",
  "heal.flap.half_life": "In this time the penalty halves.",
  notify: "Who is told, each entry with exactly one kind. Slow or dead ones never delay the others.",
  "notify[].home_assistant":
    "Home Assistant's webhook, with the blueprint of deploy/homeassistant: alerts are repeated until it confirms them.",
  "notify[].home_assistant.url": "Home Assistant's own address, an IP literal.",
  "notify[].home_assistant.webhook_id_file":
    "The file of the webhook's id, mode 0600; whoever knows it can raise alerts.",
  "notify[].home_assistant.name": "Its name in `hairpin deliveries`.",
  "notify[].home_assistant.events": "Only these kinds of event.",
  "notify[].mqtt": "A device in Home Assistant by MQTT discovery (docs/mqtt.md).",
  "notify[].mqtt.url": "The broker, by an address that is not guarded.",
  "notify[].mqtt.username": "The login there.",
  "notify[].mqtt.password_file": "The file of its password, mode 0600.",
  "notify[].mqtt.ca_file": "For mqtts://, the authority of your own that signed the broker's certificate.",
  "notify[].mqtt.server_name": "For mqtts:// with an address in the URL, the name in the broker's certificate.",
  "notify[].mqtt.discovery_prefix": "Home Assistant's discovery prefix.",
  "notify[].mqtt.birth_topic": "Where Home Assistant says that it has started; discovery_prefix/status when absent.",
  "notify[].mqtt.topic_prefix": "Below which topic hairpin's own are.",
  "notify[].mqtt.device_name": "The device's name in Home Assistant; entity ids begin with it.",
  "notify[].mqtt.commands":
    "Whether the buttons and switches are offered. false, for a broker that others may write to: nothing that comes from it is obeyed.",
  "notify[].mqtt.maintenance": "How long the maintenance switch pauses, 1m to 24h.",
  "notify[].mqtt.expire_after":
    "States that are not renewed for so long are unavailable, 30s to 1h; they are renewed three times in it.",
  "notify[].mqtt.protocol": "MQTT 5, or 3.1.1 for brokers that know no other.",
  "notify[].mqtt.name": "Its name in `hairpin deliveries`.",
  "notify[].webhook":
    "Any receiver of a POST with JSON: Standard Webhooks, or the form of a template (Telegram, Discord, Slack, Gotify, Apprise).",
  "notify[].webhook.name": "Its name in `hairpin deliveries`.",
  "notify[].webhook.url": "Where it is sent. `config show` masks its path, which often is a secret.",
  "notify[].webhook.secret_file": "The key that signs it (whsec_…, mode 0600); without one it is not signed.",
  "notify[].webhook.events": "Only these kinds of event.",
  "notify[].webhook.template_file": "JSON with placeholders such as {{title}}, sent in place of the event.",
  "notify[].ntfy": "A topic of ntfy.",
  "notify[].ntfy.url": "The topic's URL. Whoever knows it can read it: `config show` masks it.",
  "notify[].ntfy.name": "Its name in `hairpin deliveries`.",
  "notify[].ntfy.events": "Only these kinds of event.",
  "notify[].ntfy.token_file": "The file of an access token, mode 0600.",
  "notify[].heartbeat": "A dead-man's switch without the edge: healthchecks.io, Uptime Kuma's push.",
  "notify[].heartbeat.url": "What is asked for while the hub works. `config show` masks its path.",
  "notify[].heartbeat.every": "How often.",
  "notify[].heartbeat.name": "Its name in the log.",
  edge: "The edge verifier: a Worker outside of the house that tells you when all of it is dark. `hairpin edge init` writes this.",
  "edge.url": "The Worker's URL. Its name is resolved by hub.resolvers.",
  "edge.key_file": "The key that signs the heartbeats; `hairpin edge rotate` changes it.",
  "edge.every":
    "How often the hub reports, 1s to 1h. Also how long a request to heal from outside waits; it dies after 60 s.",
  "edge.silence":
    "So long without a heartbeat is dark. At least twice edge.every, or one lost heartbeat raises the alarm.",
  "edge.checks":
    "Public names as the world sees them. The edge asks about once a minute, trusts public authorities alone, and is shown no certificate; what it cannot do is refused here.",
  "edge.checks[].dns.server":
    "A resolver to ask, ADDRESS or ADDRESS:PORT (else 53, over TLS 853); without one the edge asks by DNS over HTTPS.",
  "edge.checks[].dns.transport":
    "How `server` is asked: tcp when absent, or tls with server_name. A Worker has no UDP.",
  "edge.checks[].dns.server_name": "With transport tls: the name in the resolver's certificate, such as dns.google.",
  "edge.checks[].https.address": "A fixed address, with the name in SNI; without one what the public DNS says.",
  "edge.checks[].oidc.address": "A fixed address, with the name in SNI; without one what the public DNS says.",
  "edge.checks[].tcp.host": "The public name.",
  "edge.notify":
    "Whom the edge itself tells, since the hub cannot when the house is dark. `hairpin edge add-site` brings it there.",
  "edge.notify[].ntfy": "A topic of ntfy.",
  "edge.notify[].ntfy.url": "The topic's URL.",
  "edge.notify[].ntfy.token_file": "The file of an access token, mode 0600.",
  "edge.notify[].webhook": "Any receiver of a POST with JSON.",
  "edge.notify[].webhook.url": "Where it is sent.",
  "edge.notify[].webhook.secret_file": "The key that signs it (whsec_…, mode 0600).",
  "edge.notify[].webhook.template_file": "JSON with placeholders, sent in place of the event.",
  "edge.heal_keys": "Who may ask for a repair from outside: each person's own key, which the edge never holds.",
  "edge.heal_keys[].name": "Whose it is, as the log and the events have it.",
  "edge.heal_keys[].key_file": "The key (whsec_…, mode 0600); its owner keeps the same file.",
};

/** The key under which a path is described. */
export function describedAs(path: string): string | null {
  const known = (each: string) => (DESCRIPTIONS[each] === undefined ? null : each);
  const short = path
    .replace(/^links\.\*\./, "link.")
    .replace(/^speakers\.\*\./, "speaker.")
    .replace(/^hosts\.\*\./, "host.");
  return known(path) ?? known(short) ?? known(path.replace(/^edge\.checks\[\]/, "targets.*.checks[]"));
}
