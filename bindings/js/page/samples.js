// Passages to try, of our own writing.

export const samples = [
  {
    name: "Lighthouse",
    context:
      "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks. Its lamp burned whale oil until 1904, when it was replaced by electric light. The last keeper, Tom Orde, left in 1987. Since then a computer in the harbour office has watched over the lamp.",
    questions: ["When was the lighthouse built?", "Who was the last keeper?", "What did the lamp burn?"],
  },
  {
    name: "Bakery",
    context:
      "Marta Lindqvist opened the bakery in a former fire station. She still bakes in the original brick oven, which the firefighters had used to dry their hoses. The rye loaf, sold only on Fridays, is usually gone before nine in the morning.",
    questions: ["Who opened the bakery?", "On which day is the rye loaf sold?", "What did the firefighters use the oven for?"],
  },
  {
    name: "Accents and emoji",
    context:
      "In 1923 the café on the Rue des Tanneurs was taken over by Hélène Brûlé 🥐, who let painters pay with a sketch instead of francs. The calligrapher 王小明 wrote the menu on rice paper every morning and sold the old ones in the evening for 2 € each.",
    questions: ["Who took over the café?", "Who wrote the menu?", "How could painters pay?"],
  },
  {
    name: "Wetland",
    context:
      "Every spring some forty thousand cranes rest in the Lower Havel wetland. Rangers count them at dusk, when the birds fly from the fields to shallow water, where foxes cannot reach them. The first count took place in 1991 and found only six hundred. Visitors may watch from a wooden tower near the village of Gülpe, but dogs must stay at home.\n\nThe water of the wetland was drained in the nineteenth century to win pasture. In 2005 a foundation began to close the ditches, and within ten years the water stood forty centimetres higher.",
    questions: ["How many cranes rest there?", "When was the first count?", "Why was the wetland drained?", "Who painted the tower?"],
  },
];
