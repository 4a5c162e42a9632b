// The page: two panes, and one question for both.
import { setup } from "./client.js";
import { byId, onPress, words } from "./elements.js";
import { Pane } from "./pane.js";
const question = byId("question", HTMLTextAreaElement);
const askBoth = byId("ask-both", HTMLButtonElement);
function begin(known) {
    const panes = known.users.map((user) => new Pane(known, user, asked));
    byId("panes", HTMLElement).replaceChildren(...panes.map((pane) => pane.root));
    onPress(byId("prepare", HTMLButtonElement), async () => {
        await Promise.all(panes.map((pane) => pane.prepare()));
    });
    onPress(askBoth, async () => {
        await Promise.all(panes.map((pane) => pane.ask(asked())));
    });
}
/** The question as it stands there. */
function asked() {
    return question.value.trim() || question.placeholder;
}
// Enter asks, as in other chats; with Shift it begins a line.
question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing)
        return;
    event.preventDefault();
    askBoth.click();
});
for (const suggestion of document.querySelectorAll("button[data-question]")) {
    suggestion.addEventListener("click", () => {
        question.value = suggestion.dataset["question"] ?? "";
        question.focus();
    });
}
try {
    begin(await setup());
}
catch (error) {
    const problem = byId("problem", HTMLElement);
    problem.textContent = `The page cannot begin: ${words(error)}`;
    problem.hidden = false;
}
