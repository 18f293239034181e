"""From which end an order is said to be written, in the languages that answers come in. All words are lower case."""

import re

_ENDS = (
    ("least lowest worst low bottom less weakest", "to up_to through", "most highest best high top strongest more"),
    ("wenigsten unwichtigst* schlechtest* niedrigst* geringst* schwächst*", "zu zum zur bis nach",
     "meisten wichtigst* relevantest* best* höchst* stärkst*"),
    ("moins pire* plus_faible*", "à au aux vers", "plus meilleur* mieux"),
    ("menos menor peor", "a al hasta hacia", "más mayor mejor"),
    ("meno minore peggior*", "a al alla ai", "più maggiore miglior*"),
    ("menos menor pior", "a ao à para para_o até", "mais maior melhor"),
    ("minst* laagst* slechtst*", "naar tot", "meest hoogst* best*"),
    ("najmniej najgorsz* najniższ*", "do", "najbardziej najlepsz* najwyższ*"),
    ("nejméně nejhorší* nejnižší*", "po do k", "nejvíce nejlepší* nejvyšší*"),
    ("наименее наименьш* худш* менее низк*", "к до", "наиболее наибольш* лучш* более высок* самого самому"),
    ("найменш*", "до", "найбільш*"),
    ("minst lägst sämst mindst lavest dårligst", "till til", "mest högst bäst høyest højest best bedst"),
    ("paling_tidak paling_rendah kurang terendah", "ke hingga sampai", "paling lebih tertinggi"),
    ("ít thấp", "đến tới", "nhiều cao liên_quan"),
    ("الأقل أقل", "إلى", "الأكثر أكثر الأعلى"),
)  # fmt: skip
"""For each language what the worse end is called, what joins the two, and what the better end is called."""
_UNSPACED = (
    (r"(?:从|從|由)最?(?:不|低|弱|差|小|少)", r"[^\n,，。]{0,8}?(?:到|至)[^\n,，。]{0,4}?", "(?:最|高|强|強|好|大|多)"),
    (r"(?:从|從|由)最?(?:相关|相關|高|强|強|好|大|多)", r"[^\n,，。]{0,8}?(?:到|至)[^\n,，。]{0,4}?",
     "(?:最?不|低|弱|差|小|少)"),
    (r"(?:低い|弱い)", r"[^\n、。]{0,6}?から[^\n、。]{0,6}?", "(?:高い|強い)"),
    (r"(?:낮은|약한|적은)", r"[^\n,.]{0,6}?(?:부터|에서)[^\n,.]{0,6}?", "(?:높은|강한|많은)"),
    (r"कम", r"(?: [^\s,]+){0,2} से (?:[^\s,]+ ){0,2}", "(?:अधिक|ज़्यादा|ज्यादा)"),
    (r"น้อย", r"[^\n,]{0,12}?(?:ไป|ถึง)[^\n,]{0,12}?", "มาก"),
)  # fmt: skip
"""The same where words are not parted by spaces, or end otherwise; the second is the first turned round."""
_LOW = r"(?:least|lowest|worst|low|bottom|less|weakest)"
_HIGH = r"(?:most|highest|best|high|top|strongest)"
_RELEVANCE = r"(?: \w+)? (?:relevan\w+|wichtigkeit|bedeutung|reihenfolge|ordnung|volgorde|pořadí)"


def _words(listed: str) -> str:
    return "(?:" + "|".join(re.escape(w).replace(r"\*", r"\w*").replace("_", " ") for w in listed.split()) + ")"


def _from(one: str, joint: str, other: str) -> str:
    """From one end to the other: `least relevant to most`, `low → high`."""
    first, second = _words(one), _words(other)
    joined = rf"(?:\b{_words(joint)}\b|[>→–-])"
    return rf"\b{first}\b(?:[ -]+\w+){{0,3}}[ -]*{joined}[ -]*(?:\w+[ -]+)?{second}\b"


_UP = "|".join(
    [_from(low, joint, high) for low, joint, high in _ENDS]
    + [low + joint + high for low, joint, high in _UNSPACED[:1] + _UNSPACED[2:]]
)
_DOWN = "|".join(
    [_from(high, joint, low) for low, joint, high in _ENDS]
    + [high + joint + low for low, joint, high in _UNSPACED[2:]]
    + ["".join(_UNSPACED[1])]
)
ASCENDING = re.compile(
    rf"{_UP}|\b{_LOW}\b(?:[ -]+\w+){{0,2}}[ -]+first\b|\bfrom (?:the )?{_LOW}\b(?: \w+){{0,2}} up(?:wards?)?\b"
    rf"|\b{_HIGH}\b(?:[ -]+\w+){{0,2}}[ -]+(?:last|at the (?:end|bottom))\b"
    rf"|\b{_LOW}\b(?:[ -]+\w+){{0,2}}[ -]+at the (?:top|start|beginning)\b"
    r"|\bascending\b|\bincreasing(?:ly)?\b"
    r"|\b(?:vo[nm]|aufsteigend\w*)\b(?: \w+){0,3} (?:wenigsten|unwichtigsten|schlechtesten|am wenigsten)"
    r"|\baufsteigend\w*|\b(?:schlechteste|unwichtigste|irrelevanteste)\w* zuerst"
    r"|\b(?:beste|wichtigste|relevanteste)\w* zuletzt"
    rf"|\b(?:an|zu)?(?:steigend|nehmend)\w*{_RELEVANCE}"
    r"|\b(?:du|de la|des) (?:moins|pire)\b|\bcroissant\w*|\bmoins pertinente?s? (?:en premier|d'abord|au plus)"
    r"|\bdel?(?: la| lo)? (?:menos|menor|peor)\b|\bascendente\w*|\bcreciente\w*|\bcrescente\w*"
    r"|\bdal(?:la)? (?:meno|minore|peggiore)\b|\bdo (?:menos|menor|pior)\b"
    r"|\bvan (?:minst|slechtst)\w*|\boplopend\w*|\bod (?:najmniej|najgorsz\w*|nejméně)"
    rf"|\brosnąc\w*|\bvzestupn\w*|\b(?:stijgend|toenemend|rostouc)\w*{_RELEVANCE}"
    r"|\bот (?:наименее|худш\w*|менее)|\b(?:поряд\w+|по|в) возраста(?:ни|ющ)\w*|\bза зростанням"
    r"|\ben az\b|\bartan\b|\bdari yang (?:paling tidak|kurang)|\burutan (?:menaik|meningkat)|\bthứ tự tăng dần"
    r"|\bstigande ordning|\bstigende (?:orden|rækkefølge|rekkefølge)|\bnouseva\w* järjesty|\bvähiten\b"
    r"|从最不|由最不|升序|(?:相关性?|程度|顺序)递增|递增(?:排序|顺序|排列)"
    r"|低い順|低い方から|昇順|낮은 ?(?:순|것부터)|오름차순|बढ़ते|आरोही|تصاعدي|من الأقل"
)
"""What says that an order is written from the worst to the best."""
DESCENDING = re.compile(
    rf"{_DOWN}|\b{_HIGH}\b(?:[ -]+\w+){{0,2}}[ -]+first\b|\b{_LOW}\b(?:[ -]+\w+){{0,2}}[ -]+last\b"
    r"|\bvo[nm] (?:der |dem )?(?:am meisten|\w+sten)(?: \w+){0,2} (?:bis )?zu[rm] (?:am )?\w+"
    r"|高い順|높은 ?순|تنازلي"
    r"|\bdescending\b|\bdecreasing\b|\babsteigend\w*|\bdécroissant\w*|\bdescendente\w*|\bdecreciente\w*"
    rf"|\bdecrescente\w*|\b(?:abnehmend|fallend)\w*{_RELEVANCE}|\baflopend\w*|\bdalend\w*|\bmalejąc\w*|\bsestupn\w*"
    r"|\bубыва\w+|\bспадан\w*|\bazalan\b|\bmenurun\b|\bgiảm dần\b|\bfallande ordning|\bfaldende (?:orden|rækkefølge)"
    r"|\b(?:synkende|avtagende) rekkefølge|\blaskeva\w*|降序|递减|遞減|降順|내림차순|अवरोही|घटते"
)
"""What says that an order is written from the best to the worst."""
BACKWARDS = re.compile(r"\b(?:revers\w+|backwards?|inverted|umgekehrt\w*|invers\w*|inverti\w*)\b|逆|倒序|обратн")
"""What leaves open which end comes first."""
