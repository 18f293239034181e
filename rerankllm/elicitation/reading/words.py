"""Words that say what the labels beside them are, in the languages that answers come in. All are lower case."""

import re


def among(said: str) -> frozenset[str]:
    """The words of a text, to look others up in."""
    return frozenset(said.split())


def any_of(words: str) -> re.Pattern[str]:
    """Whole words in alphabets that part words by spaces, any place in others; `*` stands for an ending."""
    spaced = [re.escape(w).replace(r"\*", r"\w*").replace("_", r"\s") for w in words.split() if w[0] < "\u0900"]
    dense = [re.escape(w.strip("*")) for w in words.split() if w[0] >= "\u0900"]
    return re.compile("|".join([rf"\b(?:{'|'.join(spaced)})\b", *dense]))


ANNOUNCING = any_of(
    "rank* order* sort* arrang* answer* result* final* output response* list listing sequence priorit* best top"
    " most_relevant from_most permutation"
    " rangfolge reihenfolge rangliste sortier* geordnet antwort ergebnis* beste* relevanteste*"
    " classement ordre ordonn* class* réponse résultat* tri meilleur* plus_pertinent*"
    " orden* clasific* respuesta* resultado* mejor* más_relevante* ranking*"
    " ordin* classific* risposta* risultat* miglior* più_rilevant* graduatoria"
    " ordem ordena* resposta* melhor* mais_relevante*"
    " volgorde rangschik* antwoord* gesorteerd* kolejność odpowiedź wynik* uporządk* pořadí odpověď"
    " порядок порядк* ранж* ответ* результат* рейтинг* отсортир* sıra* cevap yanıt sonuç"
    " urut* peringkat jawaban hasil ordning svar rækkefølge järjestys vastaus thứ_tự xếp_hạng kết_quả"
    " ترتيب الترتيب الإجابة النتيجة"
    " 最相关 最相關 最も関連 排序 排名 排列 顺序 順序 次序 答案 结果 結果 順位 順番 ランキング 並べ"
    " 回答 答え 순위 순서 정렬 답 결과 क्रम उत्तर रैंक ลำดับ อันดับ"
)
"""What announces an answer."""

_DENIALS = (
    " not none never neither nor cannot nicht kein* keine* weder niemals"
    " pas aucun* jamais ninguno ninguna ningún nunca tampoco nessun* nenhum* não niet geen żad* nie žádn* не ни нет"
    " değil hiç* tidak bukan inte ingen ikke không لا ليس ليست لم"
    " 不是 不能 不会 不會 没有 沒有 无法 無法 ない ません 없 않 아니 नहीं ไม่"
)
_OTHER_END = (
    " irrelevant* unrelated unhelpful useless off_topic off-topic least worst lowest bottom"
    " falsch schlecht* unwichtig* irrelevante* unpassend* wenigsten wenigste* am_wenigsten"
    " moins pire* hors_sujet menos peor* meno peggior* irrilevant* menos pior* minst* slechtst* irrelevant*"
    " nieistotn* нерелевант* худш* наименее менее ilgisiz الأقل أقل"
    " 不相关 不相關 最不 无关 無關 無関係 関連のない 低 最低 最差 무관 낮"
)
NEGATIVE = any_of(
    _DENIALS + _OTHER_END + " no without wrong"
    " incorrect exclud* except ignor* omit* discard* remov* missing remain* other others rest"
    " bad poor* weak* skip* lack* miss* avoid* empty nichts instead rather fail* unranked unsorted unordered unable"
    " übrige* restliche* ausgenommen ohne sauf non ne sin excepto no tranne exceto sem кроме غير 不 没 除"
)
"""What denies that the labels beside it are the answer, or says that they are its other end."""
NOT_THE_BEST = any_of(_DENIALS + _OTHER_END + " except excluding ohne sauf excepto tranne exceto кроме 不 除")
"""What does so in an answer that may say much else."""

POSITIVE = any_of(
    "answer* relevan* best better choose chose chosen choice pick* rate rated select* prefer* match* recommend*"
    " winner direct*"
    " address* definitely it_is correct fits suit* antwort* beantwort* wähle wahl passt passend* besser* beste*"
    " pertinent* répond* meilleur* choisis choix respon* mejor* elijo rispond* miglior* scelgo melhor* escolho"
    " antwoord*"
    " релевант* отвеча* ответ* лучш* выбираю صلة يجيب أختار الأفضل الإجابة"
    " 相关 最 选 選 答 関連 適 관련 선택 답 정답 उत्तर"
)
"""What calls the one label of an answer its answer."""

OTHER_ORDER = re.compile(
    r"^\W*bm25\b|\b(?:longest|shortest|newest|oldest|latest|earliest)\b"
    r"|\b(?:by|according to|in terms of|on|nach|par|por|per)"
    r" (?:their |the |its )?(?:date|length|name|time|year|size|age"
    r"|number|id|identifier|title|source"
    r"|appearance|alphabet|publication|topic|subject|datum|länge|longueur|fecha|data)\w*|\b(?:chronological\w*"
    r"|alphabetical\w*|(?:numerical|reading) order)\b"
)
"""What says that an order is by something else than relevance."""

DRAFT = re.compile(
    r"\b(?:initial|original|previous|prior|earlier|old|retriev\w+|presented|given|input|shown|first|preliminary"
    r"|baseline"
    r"|bm25|naive|default|unsorted|alternative|other|another|possible)(?: \w+)?"
    r" (?:order\w*|rank\w*|list\w*|sequence|impression|guess|thoughts?|pass|attempt|try|idea|look|assessment"
    r"|sort\w*|version"
    r"|option|answer)\b"
    r"|\border (?:given|shown|presented|above|of the input)\b|\bas (?:shown|given|presented)\b|\bpassages?"
    r" (?:shown|given)\b"
    r"|\bdrafts?\b|\binitially\b|\boriginally\b|\btentative\w*|\bprovisional\w*|\balternative\w*|\balternately\b"
    r"|\bat first(?: glance| sight)?\b|\bbefore (?:re|check|verif)\w+|\bi (?:first )?thought\b|\bmight (?:also"
    r"|prefer)\b"
    r"|\bcould also\b|\bsomeone\b|\bothers? (?:may|might|would|could)\b|\bif (?:you|one|we|the query)\b|^if\b"
    r"|\bentw[uü]rf\w*|\bzunächst\b|\bvorläufig\w*|\bursprünglich\w*|\banfänglich\w*|\bausgangs\w*|\berste[rn]?"
    r" (?:eindruck|"
    r"gedanke|versuch)"
    r"|\bbrouillon\b|\bordre (?:initial|donné|d'origine)|\bprovisoire\b|\bau départ\b|\bpremière impression\b"
    r"|\bborrador\w*|\borden (?:inicial|original|dado)|\bprovisional\b|\bprimera impresión\b|\bal principio\b"
    r"|\bbozza\b|\bordine (?:iniziale|originale|dato)|\bprima impressione\b|\brascunho\b|\bprimeira impressão\b"
    r"|\bordem (?:inicial|original|dada)|\beerste indruk\b|\bszkic\b|\bчерновик\w*|\bпервоначальн\w*|\bисходн\w*"
    r"|\bпредварительн\w*|\btaslak\b|\bilk izlenim\b"
    r"|初步|草稿|最初|原始|起初|第一印象|初始|下書き|初稿|元の|仮の|초안|처음|초기|원래|प्रारंभिक"
)
"""What says that an order is not the last word."""

EXAMPLE = any_of(
    "eg e.g e.g. example* for_instance such_as as_in beispiel* zb z.b z.b. exemple*"
    " ejemplo* esempio esempi exemplo* bijvoorbeeld przykład* например örneğin misalnya"
    " 例如 比如 例えば 例 예를 예시 उदाहरण"
)
"""What says that an order is an example of one."""

JUST_BEFORE_NO_ANSWER = re.compile(
    r"(?:\b(?:(?:should|must|would|could|do|does|did|can|is|was|are|were)(?: not|n.t)|cannot)"
    r"(?: (?:be|think|believe|say|agree|it'?s|that))*"
    r"|\bformat (?:is|was|(?:should|must|would) be)|^\W*(?:the )?(?:output|expected|required|desired|answer)"
    r" (?:output )?format\W*"
    r"|\b(?:output|format|answer)(?: should| must| would)? looks? like this\W*"
    r"|\banything but|\bnever \w+|\b(?:disagree with|reject|avoid)"
    r"|\b(?:like|not|never|than|of|nicht|pas|non|no|не|into|from|if|when|whether|wenn|si)|不是"
    r"|而不是)[\s\"'(:]*$"
)
"""What ends the words before an order that is not the answer."""

_WRONG = (
    r"(?:\b(?:wrong|incorrect|not|mistaken|bad|worse|rejected|discarded|false|falsch|nicht|faux|pas|incorrecto"
    r"|sbagliato|errado"
    r"|fout|неверн\w*|не)\b|n't\b|[✗❌✘]|错|不对|不正确|間違|違|틀)"
)
_BEING = (
    r"(?:is|was|are|were|would|seems?|looks?|cannot|can't|isn't|wasn't|ist|war|wäre"
    r"|est|était|serait|es|era|sería|è|é|sarebbe)\b"
)
DENYING = re.compile(
    r"^\W*(?:which|that) i (?:reject|disagree|doubt)"
    rf"|^\W*(?:which|this|that|it|das|ce|esto|questo)\s{_BEING}.{{0,40}}?{_WRONG}|^[^\w,]*(?:{_BEING}.{{0,40}}?)?{_WRONG}"
)
"""What, after an order, takes it back."""

RETRACTION = re.compile(
    r"\bscratch that\b|\bon second thoughts?\b|\blet me (?:re\w+|correct|fix|double|think)|\bi (?:made|was) (?:a|an)? ?"
    r"(?:mistake|error|mistaken|wrong)|\bi take that back\b|\bwait\b(?! (?:time|until|for|list))|\bcorrection\b"
    r"|\boops\b"
    r"|\b(?:should|must|need to|could) (?:be )?(?:swap\w*|exchange\w*|switch\w*|revers\w*)|\bmy mistake\b|\bi mean\b"
    r"|\bwrong order\b|\bdisregard\b|\bignore (?:that|the above|this)|\bstrike that\b|\bthat'?s (?:wrong|not"
    r" right|incorrect)"
    r"|\b(?:that|this|it) (?:is|was) (?:wrong|not right|incorrect|mistaken)|\bmoment mal\b|\bkorrektur\b|\bhalt,"
    r"|\bje me corrige\b|\battend(?:s|ez)\b|\bespera\b|\bcorrección\b|\bme equivoqué\b|\baspetta\b|\bcorrezione\b"
    r"|\bcorreção\b|\bподожди\w*|\bисправл\w*|\bwacht\b|等等|等一下|不对|更正|纠正|訂正|待って|待った|間違え|정정|잠깐|수정"
)
"""What takes back what was said before it."""
SOFT_RETRACTION = re.compile(
    r"[.!?…\n(-][\s\"*]{0,4}(?:actually|hmm+|no|nope|sorry|or rather|rather|well|better|eigentlich|nein|en fait|"
    r"en realidad|in realtà|na verdade|на самом деле|其实|実は)\b"
)
"""What does so where labels follow."""

RANK = any_of(
    "rank* place position top platz rang stelle position* puesto posición lugar posizione posto posição"
    " место позиция plaats miejsce sıra peringkat rang ranking 排名 名次 位 名 順位 순위 위"
)
"""What the number beside a label is, when it is a place."""
SCORE = any_of(
    "score* scor* grade* rating* rated relevance relevancy point* pts confidence probability similarity mark marks"
    " value note* punkte bewertung* relevanz wertung pertinence puntuación puntaje relevancia puntos punteggio"
    " rilevanza"
    " punti pontuação relevância nota pontos оценка оценк* балл* релевантность ocena puan skor nilai skor poäng"
    " 分 得分 分数 评分 相关性 相关度 スコア 点 評価 関連度 점수 점 관련성 평점 अंक स्कोर"
)
"""What it is when it is a score."""
_BEST = r"\s{0,2}(?:the )?(?:best|most|highest|top)"
SCALE_TURNED = re.compile(
    rf"\blower (?:is|means|=)|\b[01] ?(?:=|being|means){_BEST}|\blowest (?:is|=) (?:the )?best|\bscale (?:is )?revers"
)
"""What says that a lower grade is a better one."""
LOWER_IS_BETTER = re.compile(rf"{SCALE_TURNED.pattern}|\b1 is{_BEST}|\b(?:distance|loss|perplexity|error)\b")
"""What says so of numbers, or calls them what is better when it is lower."""
ORDINALS = {
    word: place
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "erstens zweitens drittens viertens fünftens",
        "premier deuxième troisième quatrième cinquième",
        "primero segundo tercero cuarto quinto",
        "primo secondo terzo quarto quinto",
        "primeiro segundo terceiro quarto quinto",
        "第一 第二 第三 第四 第五 第六 第七 第八 第九 第十",
    )
    for place, word in enumerate(words.split(), 1)
}
