// Irregular verbs and plurals of English, each form to its stem. A closed class.

const verbs = `arise arose arisen; awake awoke awoken; bear bore borne; beat beaten; become became; begin began begun; bend bent;
bind bound; bite bit bitten; bleed bled; blow blew blown; break broke broken; breed bred; bring brought; build built; burn burnt;
buy bought; catch caught; choose chose chosen; come came; creep crept; deal dealt; dig dug; draw drew drawn; dream dreamt;
drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled;
fly flew flown; forbid forbade forbidden; forget forgot forgotten; forgive forgave forgiven; freeze froze frozen; get got gotten;
give gave given; go went gone; grow grew grown; hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt;
know knew known; lay laid; lead led; lean leant; learn learnt; leave left; lend lent; lie lay lain; light lit; lose lost; make made;
mean meant; meet met; pay paid; prove proven; ride rode ridden; ring rang rung; rise rose risen; run ran; say said; see saw seen;
seek sought; sell sold; send sent; sew sewn; shake shook shaken; shine shone; shoot shot; show shown; shrink shrank shrunk;
sing sang sung; sink sank sunk; sit sat; sleep slept; slide slid; speak spoke spoken; speed sped; spell spelt; spend spent;
spin spun; spoil spoilt; spring sprang sprung; stand stood; steal stole stolen; stick stuck; sting stung; stink stank stunk;
strike struck; swear swore sworn; sweep swept; swim swam swum; swing swung; take took taken; teach taught; tear tore torn;
tell told; think thought; throw threw thrown; understand understood; wake woke woken; wear wore worn; weave wove woven; weep wept;
win won; wind wound; withdraw withdrew withdrawn; write wrote written; undo undid undone; rebuild rebuilt; overcome overcame;
lie lying; die dying; tie tying; use using uses; age aging ageing; see seeing; agree agreeing; be being; do doing; go going`;

const nouns = `child children; man men; woman women; person persons; foot feet; tooth teeth; goose geese; mouse mice; ox oxen; leaf leaves;
life lives; knife knives; wife wives; wolf wolves; half halves; shelf shelves; loaf loaves; thief thieves; calf calves; self selves;
analysis analyses; basis bases; crisis crises; thesis theses; hypothesis hypotheses; criterion criteria; phenomenon phenomena;
index indices indexes; matrix matrices matrixes; vertex vertices; appendix appendices; datum data; bus buses; gas gases; lens lenses;
virus viruses; status statuses; bonus bonuses; canvas canvases; potato potatoes; tomato tomatoes; hero heroes; echo echoes;
veto vetoes; class classes; process processes; address addresses; access accesses; box boxes; tax taxes; fix fixes; radius radii;
cactus cacti; fungus fungi; nucleus nuclei; stimulus stimuli; alumnus alumni; medium media; bacterium bacteria; movie movies;
cookie cookies; zombie zombies; shoe shoes; toe toes; canoe canoes; species species; series series; news news; lens lens;
physics physics; economics economics; mathematics mathematics; athletics athletics`;

/** Words that only look inflected. */
const plain = `during morning evening nothing something everything anything ceiling string spring king thing wing ring sing bring
this his its was has does is as us bus gas plus thus always perhaps red bed led fed shed need seed feed speed indeed hundred
bleed breed weed reed deed embed hatred sacred naked wicked`;

const entries = `${verbs}; ${nouns}`.split(/;\s*/).flatMap(group => {
  const [base = '', ...forms] = group.trim().split(/\s+/);
  return [base, ...forms].map(form => [form, base] as const);
});

/** A base form that is also another's form (`saw`, `lay`, `found`) belongs to the other, the commoner one in questions. */
export const irregularForms: ReadonlyMap<string, string> = new Map([
  ...plain.split(/\s+/).map(word => [word, word] as const),
  ...entries,
]);
