import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const APP = fileURLToPath(new URL("../../../deploy/homeassistant/app/", import.meta.url));

/** Where the Supervisor is in every Home Assistant, and where this app would be: on its bridge "hassio", 172.30.32.0/23. */
export const SUPERVISOR_ADDRESS = "172.30.32.2";
export const APP_ADDRESS = "172.30.33.5";
/** `local_` is what the Supervisor puts before an app that lies in /addons. */
export const APP_SLUG = "local_hairpin";
/** The default of config.yaml's `ingress_port`, which the linter wants left out. */
const INGRESS_PORT = 8_099;

type Facts = Readonly<Record<string, unknown>>;

interface AppConfig {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly arch: readonly string[];
  readonly startup: string;
  readonly ingress: boolean;
  readonly panel_icon: string;
  readonly panel_title: string;
  readonly homeassistant_api: boolean;
  readonly services: readonly string[];
  readonly options: Facts;
}

/** The one app that is installed, as its own config.yaml describes it. */
export function appConfig(): AppConfig {
  return parse(readFileSync(join(APP, "config.yaml"), "utf8")) as AppConfig;
}

/** Everything that the Supervisor says of an app, under each of the addresses that the API has for it. */
export function appFacts(config: AppConfig, ingressToken: string): Facts {
  const file = (name: string) => existsSync(join(APP, name));
  return {
    name: config.name,
    slug: APP_SLUG,
    hostname: APP_SLUG.replace("_", "-"),
    dns: [`${APP_SLUG.replace("_", "-")}.local.hass.io`],
    description: config.description,
    long_description: readFileSync(join(APP, "README.md"), "utf8"),
    advanced: false,
    stage: "stable",
    repository: "local",
    version: config.version,
    version_latest: config.version,
    update_available: false,
    available: true,
    installed: true,
    detached: false,
    build: true,
    state: "started",
    protected: true,
    rating: 8,
    boot: "auto",
    boot_config: "auto",
    startup: config.startup,
    options: config.options,
    schema: [],
    arch: config.arch,
    machine: [],
    homeassistant: null,
    url: null,
    network: null,
    network_description: null,
    host_network: false,
    host_pid: false,
    host_ipc: false,
    host_uts: false,
    host_dbus: false,
    privileged: [],
    full_access: false,
    apparmor: "profile",
    signed: false,
    icon: file("icon.png"),
    logo: file("logo.png"),
    changelog: file("CHANGELOG.md"),
    documentation: file("DOCS.md"),
    stdin: false,
    hassio_api: false,
    hassio_role: "default",
    auth_api: false,
    homeassistant_api: config.homeassistant_api,
    docker_api: false,
    gpio: false,
    usb: false,
    uart: false,
    kernel_modules: false,
    devicetree: false,
    udev: false,
    video: false,
    audio: false,
    audio_input: null,
    audio_output: null,
    services: config.services.map((service) => service.split(":")[0]),
    discovery: [],
    translations: {},
    webui: null,
    ingress: config.ingress,
    ingress_entry: `/api/hassio_ingress/${ingressToken}`,
    ingress_url: `/api/hassio_ingress/${ingressToken}/`,
    ingress_port: INGRESS_PORT,
    ingress_panel: true,
    auto_update: false,
    ip_address: APP_ADDRESS,
    watchdog: true,
    devices: [],
    system_managed: false,
    system_managed_config_entry: null,
  };
}

const USAGE = {
  cpu_percent: 0,
  memory_usage: 0,
  memory_limit: 0,
  memory_percent: 0,
  network_rx: 0,
  network_tx: 0,
  blk_read: 0,
  blk_write: 0,
};
const SUPERVISOR_VERSION = "2026.11.0";
const OS_VERSION = "17.0";

/**
 * What the Supervisor of a virtual machine with Home Assistant OS says that has nothing to tell: no update, no issue, no mount. The
 * keys are those that Core's client library (aiohasupervisor) insists on, of both versions that are tried.
 */
export function systemFacts(version: string, app: Facts): Readonly<Record<string, Facts>> {
  const versions = { version, version_latest: version, update_available: false };
  const shared = { arch: "amd64", machine: "qemux86-64", timezone: "Europe/Amsterdam" };
  const repositories = [
    { slug: "local", name: "Local apps", source: "local", url: "https://home-assistant.io", maintainer: "you" },
  ];
  return {
    "/supervisor/ping": {},
    "/info": {
      ...shared,
      supervisor: SUPERVISOR_VERSION,
      homeassistant: version,
      hassos: OS_VERSION,
      docker: "29.0.0",
      hostname: "homeassistant",
      operating_system: `Home Assistant OS ${OS_VERSION}`,
      features: ["reboot", "shutdown", "services", "network", "hostname", "timedate", "os_agent", "haos", "resolved"],
      machine_id: null,
      state: "running",
      supported_arch: ["amd64"],
      supported: true,
      channel: "stable",
      logging: "info",
    },
    "/core/info": {
      ...versions,
      ...shared,
      ip_address: "172.30.32.1",
      image: "ghcr.io/home-assistant/qemux86-64-homeassistant",
      boot: true,
      port: 8_123,
      ssl: false,
      watchdog: true,
      audio_input: null,
      audio_output: null,
      backups_exclude_database: false,
      duplicate_log_file: false,
    },
    "/core/stats": USAGE,
    "/supervisor/stats": USAGE,
    [`/addons/${APP_SLUG}/stats`]: USAGE,
    "/supervisor/info": {
      ...shared,
      version: SUPERVISOR_VERSION,
      version_latest: SUPERVISOR_VERSION,
      update_available: false,
      channel: "stable",
      supported: true,
      healthy: true,
      ip_address: SUPERVISOR_ADDRESS,
      logging: "info",
      debug: false,
      debug_block: false,
      diagnostics: false,
      auto_update: true,
      country: "NL",
      detect_blocking_io: false,
      feature_flags: {},
      wait_boot: 5,
      addons: [app],
      addons_repositories: [],
    },
    "/os/info": {
      version: OS_VERSION,
      version_latest: OS_VERSION,
      version_pending: null,
      update_available: false,
      board: "ova",
      boot: "A",
      data_disk: "sda",
      boot_slots: {},
    },
    "/host/info": {
      agent_version: "1.7.2",
      apparmor_version: "4.1.2",
      chassis: "vm",
      virtualization: "kvm",
      cpe: null,
      deployment: "production",
      disk_free: 20,
      disk_total: 32,
      disk_used: 12,
      disk_life_time: null,
      features: [],
      hostname: "homeassistant",
      llmnr_hostname: "homeassistant",
      kernel: "6.12.0-haos",
      operating_system: `Home Assistant OS ${OS_VERSION}`,
      timezone: shared.timezone,
      dt_utc: "2026-11-24T00:00:00+00:00",
      dt_synchronized: true,
      use_ntp: true,
      startup_time: 1,
      boot_timestamp: 0,
      broadcast_llmnr: true,
      broadcast_mdns: true,
    },
    "/network/info": {
      interfaces: [],
      docker: { interface: "hassio", address: "172.30.32.0/23", gateway: "172.30.32.1", dns: "172.30.32.3" },
      host_internet: true,
      supervisor_internet: true,
    },
    "/resolution/info": { unsupported: [], unhealthy: [], suggestions: [], issues: [], checks: [] },
    "/jobs/info": { ignore_conditions: [], jobs: [] },
    "/mounts": { default_backup_mount: null, mounts: [] },
    "/backups": { backups: [] },
    "/discovery": { discovery: [], services: {} },
    "/store": { addons: [app], repositories },
    "/addons": { addons: [app] },
    [`/addons/${APP_SLUG}/info`]: app,
  };
}
