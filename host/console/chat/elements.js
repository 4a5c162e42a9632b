// Elements of the page. Text becomes text and never markup: models and documents may say anything.
/** An element with a class and a text. */
export function element(tag, className = "", content = []) {
    const made = document.createElement(tag);
    if (className !== "")
        made.className = className;
    if (typeof content === "string")
        made.textContent = content;
    else
        made.append(...content);
    return made;
}
/** The element with this id, which is in the page. */
export function byId(id, kind) {
    const found = document.getElementById(id);
    if (!(found instanceof kind))
        throw new Error(`the page has no ${id}`);
    return found;
}
/** A copy of what is in a template, and its parts by their names. */
export class Copy {
    root;
    constructor(template) {
        const content = byId(template, HTMLTemplateElement).content.firstElementChild;
        if (!(content instanceof HTMLElement))
            throw new Error(`the template ${template} is empty`);
        this.root = document.importNode(content, true);
    }
    /** The part with this name. */
    part(name, kind) {
        const found = this.root.querySelector(`[data-part="${name}"]`);
        if (!(found instanceof kind))
            throw new Error(`the template has no part ${name}`);
        return found;
    }
}
/** Does the work of a button. Until it is done, the button does nothing more, and says so. It keeps the focus meanwhile. */
export function onPress(button, work) {
    let isBusy = false;
    button.addEventListener("click", async () => {
        if (isBusy)
            return;
        isBusy = true;
        button.setAttribute("aria-disabled", "true");
        try {
            await work();
        }
        finally {
            isBusy = false;
            button.removeAttribute("aria-disabled");
        }
    });
}
/** A wide element that scrolls by itself, also with the keyboard. */
export function scrolled(label, content) {
    const box = element("div", "scrolled", [content]);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label);
    return box;
}
/** A table that scrolls by itself. */
export function grid(label, head, rows) {
    const columns = head.map((text) => {
        const made = element("th", "", text);
        made.scope = "col";
        return made;
    });
    const body = rows.map((row) => element("tr", "", row.map((text) => element("td", "", text))));
    const top = element("thead", "", [element("tr", "", columns)]);
    return scrolled(label, element("table", "", [top, element("tbody", "", body)]));
}
/** A number with its noun. */
export function counted(count, noun) {
    return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
/** What went wrong, as one sentence. */
export function words(error) {
    return error instanceof Error ? error.message : String(error);
}
