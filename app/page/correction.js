// "That is wrong": the person names the right class, and may give the photo to the next training.

import * as source from "./source.js";
import { word } from "./words.js";

export function correct(root, task, answer, photo) {
  const button = root.querySelector(".wrong");
  const form = root.querySelector(".correction");
  const problem = form.querySelector(".problem");
  const thanks = root.querySelector(".thanks");
  const choices = form.querySelector(".choices");
  form.reset();
  thanks.hidden = true;
  open(false);

  // Who tells the years learns from years: the group may be right, and the years wrong.
  const years = answer.value != null;
  form.elements.value.required = years;
  form.elements.value.parentElement.hidden = !years;
  const others = task.classes.filter((each) => years || each.label !== answer.label);
  choices.replaceChildren(...others.map((each) => choice(each)));
  button.onclick = () => open(form.hidden);
  form.querySelector(".cancel").onclick = () => {
    open(false);
    button.focus();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      const right = Object.fromEntries(new FormData(form)); // label, value, consent
      await source.wrong(photo.blob, task.task, right, photo.face);
      open(false);
      button.hidden = true;
      thanks.textContent = word("wrong.thanks");
      thanks.hidden = false;
      thanks.focus();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };

  function open(opened) {
    form.hidden = !opened;
    button.ariaExpanded = String(opened);
    problem.hidden = true;
  }
}

function choice({ label, title }) {
  const whole = document.createElement("label");
  const radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "label", value: label, required: true });
  const text = document.createElement("span");
  text.textContent = title;
  whole.append(radio, text);
  return whole;
}
