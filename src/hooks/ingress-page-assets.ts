import { PAGE_STYLE } from "./page-assets.ts";

/** The hub's style, and what this page has besides: a button, a question, an answer. */
export const INGRESS_STYLE = `${PAGE_STYLE}
h1{font-size:clamp(2.2rem,8vw,3.6rem)}h3{font-size:1rem;margin:1rem 0 .3rem}h3:first-of-type{margin-top:0}section p{margin:.3em 0}
tbody th{width:34%;overflow-wrap:anywhere}td:last-child{text-align:right}
button{font:inherit;font-weight:600;padding:.6rem 1.2rem;border-radius:10px;border:1px solid var(--line);background:var(--bg);color:var(--ink);cursor:pointer}
#heal,.go{background:var(--busy);border-color:var(--busy);color:#fff}@media(prefers-color-scheme:dark){#heal,.go{color:#0b1220}}button:disabled{opacity:.45;cursor:not-allowed}button:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
dialog{border:1px solid var(--line);border-radius:14px;background:var(--card);color:var(--ink);max-width:26rem;padding:1.25rem}dialog::backdrop{background:#0008}dialog div{display:flex;gap:.7rem;justify-content:flex-end;margin-top:1rem}
#answer{position:sticky;bottom:.8rem;box-shadow:0 4px 24px #0003;max-width:57.5rem;margin:0 auto;padding:.9rem 1.25rem;border-radius:14px;border:1px solid var(--line);border-left:10px solid var(--none);background:var(--card);overflow-wrap:anywhere;white-space:pre-line}#answer.good{border-left-color:var(--ok)}#answer.bad{border-left-color:var(--bad)}
@media(max-width:40rem){main,footer{padding:.8rem}#answer{margin:0 .8rem}header,section{padding:.9rem 1rem}td:last-child{display:none}}
`;

/** Every address is relative to the page's own, since Home Assistant serves it under a path of its own. */
export const INGRESS_SCRIPT = `
"use strict";
const $=(id)=>document.getElementById(id);
let busy=false;
const words={nothing_to_do:"The hub has nothing to repair.",unreachable:"The hub does not answer.",not_allowed:"The hub takes no repairs from this app.",stale_page:"This page is old. It loads again."};
function say(text,good){const p=$("answer");p.textContent=text;p.className=good?"good":"bad";p.hidden=false}
async function refresh(){if(busy)return;busy=true;
try{const r=await fetch("./",{headers:{accept:"text/html"},cache:"no-store"});if(!r.ok)throw 0;const d=new DOMParser().parseFromString(await r.text(),"text/html");const m=d.querySelector("main");if(m){const had=document.activeElement&&document.activeElement.id;document.querySelector("main").replaceWith(document.adoptNode(m));document.title=d.title;if(had==="heal"&&$("heal"))$("heal").focus()}}
catch{document.title="no answer · hairpin";const m=document.querySelector("main");m.className="";m.querySelector("h1").textContent="no answer";m.querySelector(".summary").textContent="The app does not answer. What stands below is what it said last."}
busy=false}
async function heal(){say("Asking the hub …",true);const sure=$("yes");sure.disabled=true;
try{const r=await fetch("./heal",{method:"POST",headers:{"content-type":"application/json","hairpin-page":document.querySelector("main").dataset.page},body:"{}",cache:"no-store"});const a=await r.json();const s=r.ok?a.status:r.status;
const good=s===200||s===202;const head=s===202?"The hub has accepted the repair"+(a.id?" ("+a.id+")":"")+".":words[a.state]||"The hub has not begun a repair"+(a.state?" ("+a.state+")":"")+".";
say([head,a.detail,s===202||(a.detail||"").includes(a.advice)?"":a.advice].filter(Boolean).join("\\n"),good)}
catch{say("The app does not answer: nothing is known of a repair.",false)}
sure.disabled=false;refresh()}
document.addEventListener("click",(event)=>{const id=event.target&&event.target.id;if(id==="heal")$("sure").showModal();if(id==="no")$("sure").close();if(id==="yes"){$("sure").close();heal()}});
setInterval(refresh,5000);
`;
