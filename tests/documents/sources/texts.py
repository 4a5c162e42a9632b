"""Texts that several documents share: article 1 of the Universal Declaration of Human Rights, and prose of our own."""

# (name of the language, its code, article 1, a few words that stand together even where lines are broken)
LANGUAGES = [
    (
        "English",
        "en",
        "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience "
        "and should act towards one another in a spirit of brotherhood.",
        "All human beings",
    ),
    (
        "German",
        "de",
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt "
        "und sollen einander im Geist der Brüderlichkeit begegnen.",
        "gleich an Würde",
    ),
    (
        "French",
        "fr",
        "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de "
        "conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
        "Tous les êtres humains",
    ),
    (
        "Arabic",
        "ar",
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلًا وضميرًا وعليهم أن يعامل بعضهم بعضًا بروح الإخاء.",
        "يولد جميع الناس",
    ),
    (
        "Hebrew",
        "he",
        "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש "
        "ברעהו ברוח של אחווה.",
        "כל בני האדם",
    ),
    (
        "Chinese",
        "zh",
        "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
        "人人生而自由",
    ),
    (
        "Japanese",
        "ja",
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
        "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
        "すべての人間は",
    ),
    (
        "Korean",
        "ko",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 "
        "서로 형제애의 정신으로 행동하여야 한다.",
        "모든 인간은",
    ),
    (
        "Hindi",
        "hi",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और "
        "परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
        "सभी मनुष्यों को गौरव",
    ),
    (
        "Thai",
        "th",
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม "
        "และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
        "มนุษย์ทั้งหลาย",
    ),
    (
        "Russian",
        "ru",
        "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и "
        "должны поступать в отношении друг друга в духе братства.",
        "Все люди рождаются",
    ),
]

# Sentences for long documents: number and subject change, so that each paragraph is found once.
SUBJECTS = [
    "The keeper of the northern light",
    "The clerk who weighs the grain",
    "A pilot with a slow boat",
    "The woman who repairs the nets",
    "The night watch at gate four",
    "A merchant from the next town",
    "The teacher of the harbour school",
]
ACTS = [
    "writes down every ship that passes before the sun is up",
    "counts the sacks twice and signs for them once",
    "asks for the depth of the channel before each turn",
    "keeps the spare rope dry in a chest under the stairs",
    "reads the notices aloud to those who cannot read them",
    "pays in small coins and waits for the receipt",
    "draws the new wall on the back of an old chart",
]


def sentence(number):
    """The sentence of this number; no two numbers below 100,000 have the same."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    act = ACTS[(number // len(SUBJECTS)) % len(ACTS)]
    return f"{subject} {act}, as entry {number} of the day book says."


def paragraph(number, sentences=6):
    """The paragraph of this number, made of sentences that no other paragraph has."""
    return " ".join(sentence(number * sentences + each) for each in range(sentences))
