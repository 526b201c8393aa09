"""Rewrites the example data in `examples/data/`: sentiments, entities and topics.

    python examples/make_data.py

Every sentence and fragment below was written for this project; nothing comes from a data set.
The seed is fixed, and a run gives the same files byte for byte.

Limits, which hold for whatever is trained on the files:

- Most rows are fragments put together by templates. A specialist meets the fragments of its
  held-out rows while it learns, so the accuracy it measures there flatters it. Judge it by texts
  of your own.
- The texts are in British English, short, and say what they mean: no irony, no slang of one
  place, nothing that needs an earlier text. Fragments meet by chance; some rows are a bit odd.
- The names, places and products are a few hundred. A tagger learns their contexts better than
  it learns the world's names.

In the lists, a line is an item, and so is what stands between bars; a line that begins with
blanks goes on with the item before. `{name}` is an item of the list of that name, `[a/b]` one of
the choices, `#` a digit.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from random import Random

DATA = Path(__file__).parent / "data"
LABELS = ["positive", "negative", "neutral"]
TOPICS = ["delivery", "returns", "sizing", "repair", "payment", "stock"]
LONGEST = 60
# The slots of an entity sentence that are entities, and of which type.
SLOTS = {
    "person": "person", "first": "person", "last": "person",
    "place": "place", "city": "place", "country": "place", "street": "place",
    "org": "organisation", "team": "organisation", "product": "product",
    "onday": "date", "past": "date", "soon": "date", "inyear": "date",
}  # fmt: skip
VOWEL = re.compile(r"(?!one|eu|uni|us[aeu])[aeiou]|hour|honest", re.IGNORECASE)
TOKEN = re.compile(r"'s\b|\w+(?:[-./]\w+|[,:]\d+)*(?:'(?!s\b)\w+)?|\S")
Tagged = list[tuple[str, str]]


def write(folder: Path) -> None:
    """Write the three files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _table(folder / "sentiment.csv", ("text", "label"), sentiment())
    _table(folder / "topics.csv", ("text", "topic"), topics())
    blocks = ("".join(f"{token}\t{tag}\n" for token, tag in each) for each in entities())
    (folder / "entities.conll").write_bytes("\n".join(blocks).encode())


def sentiment(count: int = 1500) -> list[tuple[str, str]]:
    grammar = Grammar("sentiment", GENERAL | DOMAINS)
    domains = [name.removesuffix(".thing") for name in DOMAINS if name.endswith(".thing")]
    rows = []
    for label in LABELS:
        whole = [_polished(text) for text in _items(OPINIONS[label])]
        templates = Deck(_items(TEMPLATES[label]), grammar.random)
        scope = Deck(domains, grammar.random)

        def made(templates: Deck = templates, scope: Deck = scope) -> str:
            text = _polished(grammar.fill(templates.draw(), scope.draw()))
            return _roughened(text, grammar.random)

        rows += [(text, label) for text in _distinct(whole, made, count // len(LABELS))]
    grammar.random.shuffle(rows)
    return rows


def topics(count: int = 2000) -> list[tuple[str, str]]:
    grammar = Grammar("topics", SHOP)
    rows = []
    for number, topic in enumerate(TOPICS):
        cores = Deck(_items(MESSAGES[topic]), grammar.random)

        def made(cores: Deck = cores) -> str:
            message = grammar.draw("frame").replace("CORE", cores.draw())
            text = grammar.fill(message, grammar.draw("kind"))
            return _roughened(_polished(text), grammar.random)

        share = (count + number) // len(TOPICS)  # the shares add up to the count
        rows += [(text, topic) for text in _distinct([], made, share)]
    grammar.random.shuffle(rows)
    return rows


def entities(count: int = 1200) -> list[Tagged]:
    grammar = Grammar("entities", NAMES)
    templates = Deck(_items(SENTENCES), grammar.random)
    rows = {_key(row): row for row in (_tagged(text, grammar) for text in _items(PLAIN))}
    while len(rows) < count:
        row = _tagged(templates.draw(), grammar)
        if grammar.random.random() < 0.13:
            row = [(token.lower(), tag) for token, tag in row]
            if row[-1][0] == ".":
                row.pop()
        rows.setdefault(_key(row), row)
    result = list(rows.values())
    grammar.random.shuffle(result)
    return result


class Deck:
    """Deals the items in a random order, all of them before one comes again."""

    def __init__(self, items: list[str], random: Random) -> None:
        self.items, self.random, self.left = items, random, list[str]()

    def draw(self) -> str:
        if not self.left:
            self.left = self.random.sample(self.items, len(self.items))
        return self.left.pop()


class Grammar:
    def __init__(self, seed: str, lists: Mapping[str, str]) -> None:
        self.random = Random(f"tinsmith {seed}")
        self.decks = {name: Deck(_items(text), self.random) for name, text in lists.items()}

    def draw(self, name: str, scope: str = "") -> str:
        """An item of the list `scope.name`, or else of the list `name`."""
        return (self.decks.get(f"{scope}.{name}") or self.decks[name]).draw()

    def chosen(self, text: str) -> str:
        text = re.sub(r"\[([^]]*)\]", lambda m: self.random.choice(m[1].split("/")), text)
        return re.sub("#(?![a-z])", lambda _: self.random.choice("123456789"), text)

    def fill(self, text: str, scope: str = "") -> str:
        return re.sub(
            r"\{(\w+)\}",
            lambda m: self.fill(self.draw(m[1], scope), scope),
            self.chosen(text),
        )


def _items(text: str) -> list[str]:
    items = re.split(r"\n(?! )|\|", text.strip())
    return [" ".join(item.split()) for item in items if item.strip()]


def _distinct(whole: list[str], made: Callable[[], str], count: int) -> list[str]:
    """`whole`, then texts that are `made`: `count` in all, no two of the same words."""
    texts = {_words(text): text for text in whole}
    while len(texts) < count:
        text = made()
        if len(text.split()) <= LONGEST:
            texts.setdefault(_words(text), text)
    return list(texts.values())


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _polished(text: str) -> str:
    """The text with its capitals and its `an`s."""
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(rf"\b([Aa]) (?={VOWEL.pattern})", r"\1n ", text)
    return re.sub(r"(?:^|[.!?] )[a-z]", lambda m: m[0].upper(), text)


def _roughened(text: str, random: Random) -> str:
    """The text, or in four of ten cases the text as one types it in a hurry."""
    way = random.random()
    if way < 0.12:
        return text.lower().rstrip(".")
    if way < 0.18:
        return re.sub(r"[',;]", "", text.lower()).rstrip(".").replace(". ", " ")
    if way < 0.26 and text.endswith("."):
        return text.removesuffix(".") + random.choice(["!", "!!", "..."])
    if way < 0.40:
        for _ in range(1 + len(text) // 90):
            text = _mistyped(text, random)
    return text


def _mistyped(text: str, random: Random) -> str:
    places = [m.start() for m in re.finditer(r"(?<=[a-z])[a-z](?=[a-z]{2})", text)]
    if not places:
        return text
    at = random.choice(places)
    two = text[at : at + 2]
    wrong = random.choice([two[::-1], two[1], two[0] + two, two[0] + two[0] + two[1]])
    return text[:at] + wrong + text[at + 2 :]


def _tagged(template: str, grammar: Grammar) -> Tagged:
    result: Tagged = []
    for number, part in enumerate(re.split(r"\{(\w+)\}", grammar.chosen(template))):
        kind = SLOTS.get(part) if number % 2 else None
        text = grammar.fill(grammar.draw(part)) if number % 2 else part
        if kind and (outside := re.match(r"(the|on|in) ", text)):
            result.append((outside[1], "O"))
            text = text[outside.end() :]
        for place, token in enumerate(TOKEN.findall(text)):
            tag = f"{'I' if place else 'B'}-{kind}" if kind else "O"
            result.append((token, tag))
    for at, ((token, tag), (after, _)) in enumerate(pairwise(result)):
        if token == "a" and VOWEL.match(after):
            result[at] = ("an", tag)
    token, tag = result[0]
    if token.islower():
        result[0] = (token[0].upper() + token[1:], tag)
    return result


def _key(row: Tagged) -> str:
    return " ".join(token for token, _ in row).lower()


def _table(path: Path, header: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


# --- sentiment: lists for any subject ---

GENERAL = {
    "good": """
excellent | superb | lovely | brilliant | wonderful | great | good | terrific | delightful
first-rate | outstanding | impressive | splendid | top-notch | fantastic | marvellous
exceptional
remarkable | faultless | flawless | satisfying | pleasing | solid | stellar | gorgeous | fabulous
amazing | awesome | enjoyable | charming | beautiful | magnificent | thoughtful | refreshing
admirable | perfect | incredible | stunning | super | sublime | very good | really nice | fab
exquisite | inspired | polished | well-judged | rewarding | top-class | cracking | likeable
""",
    "bad": """
terrible | awful | dreadful | poor | bad | horrible | disappointing | mediocre | shoddy | lousy
dismal | appalling | abysmal | woeful | atrocious | rubbish | weak | lacklustre | dull
frustrating
tedious | pathetic | useless | underwhelming | unacceptable | annoying | ghastly | hopeless
miserable | wretched | laughable | unbearable | subpar | second-rate | shabby | sloppy | flawed
painful | tiresome | infuriating | inadequate | crummy | horrendous | half-baked | nasty
overpriced | unpleasant | lazy | clumsy | careless | joyless | grim
""",
    "fair": """
average | ordinary | standard | ok | okay | passable | acceptable | middling | unremarkable
so-so | adequate | fair | typical | run-of-the-mill | plain | tolerable | fine | normal
inoffensive | serviceable | unexceptional | bog-standard | reasonable | middle-of-the-road
""",
    "par": """
neither good nor bad | about what I expected | much like the others | nothing out of the ordinary
no better and no worse than most | what you'd expect for the money | okay as far as it goes
pretty average | a bit hit and miss | par for the course | something you get used to
""",
    "raves": """
a joy from start to finish | second to none | worth every penny | hard to fault | a real treat
out of this world | better than I dared hope | a breath of fresh air | a class above the rest
the best I have come across | just what I needed | a pleasant surprise | head and shoulders above
    the others | everything it promised to be | a gem | money well spent | a delight | spot on
the bee's knees | a cut above | right up my street | the highlight of my month | a winner
a triumph | as good as it gets | well worth the wait
""",
    "pans": """
a letdown | a waste of money | not worth the trouble | below par | the pits | a complete mess
a far cry from what was promised | money down the drain | a disaster from start to finish
worse than I feared | a shambles | a total flop | the worst I have come across | a disgrace
an insult to paying customers | a chore | nowhere near good enough | a bitter disappointment
more trouble than it's worth | not fit for purpose | a joke | one long headache | a rip-off
an ordeal | a step backwards | not what I paid for
""",
    "yes": """
I'd recommend it to anyone | I would do it again in a heartbeat | five stars from me
I couldn't be happier | two thumbs up | hats off to everyone involved | I'm already looking
    forward
    to the next one | you won't regret it | I can't praise it enough | I've told all my friends
    about it | I left with a big smile | it made my week | highly recommended | don't hesitate
I'm so glad I gave it a chance | it exceeded my expectations | it won me over completely
full marks | it gets my vote every time | it ticks all the boxes | I'm over the moon with it
I love it | I really liked it | count me as a fan | it has restored my faith
what more could you want | keep up the good work | I have no complaints whatsoever
I'd happily pay more for it | it hits the spot | it's a yes from me | thank you, truly
""",
    "no": """
never again | I'd like my money back | avoid it at all costs | I can't recommend it to anyone
one star, and only because zero isn't possible | I regret the whole thing | save your money
I want those hours of my life back | I won't be giving it a second chance | steer clear
I expected so much better | it left a bad taste in my mouth | I'm thoroughly fed up with it
you deserve better | I hate it | I really didn't like it | I couldn't wait for it to be over
it falls short in every way | I've learnt my lesson | don't be fooled by the pretty pictures
I shall be taking my custom elsewhere | I'm still angry about it | don't bother | thumbs down
it made me want to scream | I feel cheated | what a waste | there are far better ones out there
it got on my nerves | it's a no from me | whoever approved this should be ashamed | not for me
""",
    "meh": """
it does the job, no more and no less | I have no strong feelings either way | three out of five
it's neither here nor there | I could take it or leave it | it is what it is | make of that what
    you will | it's fine, I suppose | nothing special, nothing wrong | somewhere in the middle
some will like it, some won't | I might or might not come back | the jury is still out
I'm in two minds about it | you get what you pay for | it depends what you're after
ask me again in a month | I can see both sides | it's about average for the price
it was all right | I haven't made up my mind yet | not better, not worse than the others
""",
    "very": """
really | truly | simply | quite simply | absolutely | just | honestly | frankly
""",
    "who": """
my wife | my husband | my sister | my dad | my mum | my flatmate | my daughter | our son
my partner | a colleague | my neighbour | my best friend | my nan | my boss | my uncle
our neighbour's son
""",
    "aside": """
tbh | honestly | to be fair | in my opinion | imo | I must say | if you ask me | for what it's
    worth | frankly | all things considered | well | right | okay | so | look | in short
""",
}

# --- sentiment: what is said of each subject ---

DOMAINS = {
    "film.thing": "film | movie | thriller | comedy | documentary | sequel | drama",
    "film.aspect": "acting | script | ending | soundtrack | camera work | pacing | dialogue | plot",
    "film.open": """
we saw it at the late showing on Friday | I watched it on a long flight
it's the third one by this director | I went in without having seen the trailer
{who} picked it for our film night
""",
    "film.pos": """
the ending stayed with me for days | I laughed until my ribs hurt
the lead carries every scene she is in | there wasn't a dry eye in the cinema
it kept me on the edge of my seat | two hours flew by | the jokes land, even the silly ones
I was hooked from the first shot | the story moves you without being sentimental
every frame looks like a painting
""",
    "film.neg": """
I nearly nodded off halfway through | the plot has holes you could drive a bus through
the jokes fall flat | nobody on screen seems to want to be there
it drags on for an hour too long | the twist can be seen coming a mile off
I couldn't have cared less about the characters | people around us walked out
the effects look cheap and plasticky | the dialogue made me cringe
""",
    "film.neu": """
it runs for a little under two hours | the story follows two brothers over one summer
it was shot mostly in the north | there are subtitles in six languages
it's based on a short novel | the first part is set in a school, the second at sea
it comes out on disc in the autumn
""",
    "book.thing": "novel | book | memoir | biography | collection of stories | whodunnit | sequel",
    "book.aspect": """
prose | plot | translation | opening chapter | ending | cover | cast of characters
""",
    "book.open": """
I read it in our book club | {who} gave it to me for my birthday
I borrowed it from the library | it had been on my shelf for a year
I listened to the audio version on my way to work
""",
    "book.pos": """
I couldn't put it down | I stayed up until three to finish it | every page sparkles with wit
the characters feel like old friends | I've already ordered two copies for friends
the author makes a dry subject come alive | I was sorry when it ended
it taught me more than any class did | I underlined half of it | the language sings
""",
    "book.neg": """
I gave up after eighty pages | the hero is so whiny I wanted to shake him
it repeats the same idea over and over | the prose is stiff and lifeless
it's riddled with spelling mistakes | the plot goes nowhere slowly
the ending feels tacked on | it reads like a first draft
I had to force myself to finish it | the characters are cardboard cut-outs
""",
    "book.neu": """
it has about three hundred pages | each chapter is told by a different sister
there's a glossary at the back | it's the second part of a trilogy
the paperback is smaller than the first edition | it covers the years between the wars
the notes take up the last forty pages
""",
    "food.thing": "restaurant | bistro | café | curry house | pizzeria | lunch place | tapas bar",
    "food.aspect": "service | food | menu | wine list | dessert | atmosphere | starter | coffee",
    "food.open": """
we went for our anniversary | I stopped there for lunch on Tuesday | we were a party of six
we had booked a table for eight o'clock | {who} suggested it
""",
    "food.pos": """
the lamb melted in the mouth | the waiter remembered us from last time
we fought over the last spoonful of the pudding | portions are generous and the prices kind
the bread comes warm from the oven | they went out of their way for my allergy
the soup alone is worth the trip | every plate came back empty
the staff made us feel at home | the fish was as fresh as can be
""",
    "food.neg": """
the soup arrived stone cold | we waited fifty minutes for a salad
the waitress rolled her eyes at us | my steak was as tough as old boots
there was a hair in the rice | the bill had drinks on it that we never ordered
I was ill all night afterwards | everything swam in grease
the tables were sticky and so were the menus | tiny portions at cheeky prices
""",
    "food.neu": """
the menu changes every week | they close on Mondays | it's on the first floor, above a bank
you order at the counter and they bring it to the table | mains cost between ten and fifteen
there is seating for about forty | they take cards but no cheques
""",
    "phone.thing": "phone | handset | smartphone | tablet | smartwatch | laptop | e-reader",
    "phone.aspect": """
battery | screen | camera | keyboard | speaker | build | charger | performance
""",
    "phone.open": """
I've had it for about a month | it replaces my old one, which was four years old
I bought it refurbished | I got it with a new contract | {who} has the same one
""",
    "phone.pos": """
the battery easily lasts two days | it's fast, even with everything open
the pictures come out sharp in the dark | setting it up took five minutes
the screen is a pleasure to look at | it survived a fall down the stairs without a scratch
it sits nicely in the hand | I don't miss my old one for a second
calls are crystal clear | it just works
""",
    "phone.neg": """
the battery is dead by lunchtime | it freezes several times a day
it gets so hot I can't hold it | the screen cracked in the first week
it's crammed with apps I can't remove | the camera smears everything after dusk
the charging port came loose after a month | it drops calls for no reason
it lags whenever I type | the support line hung up on me twice
""",
    "phone.neu": """
it comes in black, white and green | there are two sizes | the box holds a cable but no plug
it has 128 gigabytes of storage | it's a few grams heavier than last year's
the button is on the left side now | it supports two SIM cards
""",
    "app.thing": "app | program | website | update | tool | browser | editor",
    "app.aspect": "design | search | documentation | speed | sync | interface | price | help page",
    "app.open": """
I use it every day at work | I switched to it in January | our whole team moved over last month
I tried the free version first | {who} put me on to it
""",
    "app.pos": """
it saves me an hour every day | everything is where you'd look for it
it hasn't crashed once | the developers answer within hours and fix things
I got the hang of it straight away | it starts in the blink of an eye
the new search finds everything | it does one thing and does it well
there are no ads and no nagging | it made my spreadsheets obsolete, and good riddance
""",
    "app.neg": """
it crashes every time I save | it lost a week of my work
the menus are a maze | they moved the one button I needed
it pesters me to upgrade every ten minutes | the latest version broke everything
it's slow as treacle | the tutorial explains nothing
it logs me out at random | cancelling the subscription took four e-mails
""",
    "app.neu": """
it runs on Linux and on Windows | the free plan allows three projects
version four came out in May | the settings have moved to the side bar
you need an account to sync | it exports to plain text | the download is about ninety megabytes
""",
    "hotel.thing": "hotel | guest house | hostel | holiday flat | campsite | bed and breakfast",
    "hotel.aspect": "room | breakfast | bed | view | location | bathroom | pool | reception desk",
    "hotel.open": """
we stayed for three nights | I was there on business | we came with two small children
we booked it at the last minute | it was our second visit
""",
    "hotel.pos": """
I slept like a log | the breakfast was a feast | our room looked out on the sea
they let us check in early without any fuss | the place is spotless
the owner gave us the best tips in town | it's quiet, yet a stone's throw from everything
the children didn't want to leave | the bed was heavenly
they had a cake waiting for {who}
""",
    "hotel.neg": """
there was mould in the shower | the walls are paper thin and we heard everything
the room smelled of smoke | the mattress sagged like a hammock
they had given our room away | the lift was out of order all week
the air conditioning rattled all night | reception couldn't be bothered to look up
we found bugs in the bed | the pictures online must be of another building
""",
    "hotel.neu": """
check-out is at eleven | it has forty rooms on four floors | the station is ten minutes away
breakfast is served from seven to ten | parking costs extra | pets are allowed on request
the towels are changed every other day
""",
    "train.thing": "train | journey | bus line | night train | ferry crossing | flight | airline",
    "train.aspect": "seat | timetable | crew | on-board food | cabin | boarding | wifi | legroom",
    "train.open": """
I take it twice a week | we travelled with a pram | I had booked a window seat
it was my first trip with them | we had to change once
""",
    "train.pos": """
we arrived ten minutes early | the seats were roomy and clean
the guard helped me with my heavy case | the views over the valley are breathtaking
it left on the dot | the crew were cheerful and kind
changing was a doddle | I got more work done than in the office
the tickets were a bargain | they found my lost coat within a day
""",
    "train.neg": """
we were stuck outside the station for two hours | it was cancelled without a word
the toilets were filthy | people were packed in like sardines
nobody told us where to change | they lost my suitcase and shrugged
the heating was broken and we froze | my reserved seat didn't exist
a snack costs an arm and a leg | it's late more often than not
""",
    "train.neu": """
it stops at every village | the trip takes three hours and ten minutes
it leaves from platform four | tickets can be bought on board | there are eight coaches
the last one goes at half past eleven | bikes need a ticket of their own
""",
    "course.thing": """
course | class | workshop | seminar | evening class | training | lecture series
""",
    "course.aspect": """
teacher | material | exam | pace | homework | course book | venue | structure
""",
    "course.open": """
I signed up in September | my employer paid for it | I took it online, over eight weeks
there were twelve of us | I was a complete beginner
""",
    "course.pos": """
the teacher explains hard things with such ease | I learnt more in a week than in a year at school
the exercises are fun and well chosen | I passed the exam thanks to her notes
questions were always welcome | it gave me the courage to speak up
I use what I learnt every day | everyone left buzzing with ideas
the feedback on my work was detailed and kind | it opened doors for me
""",
    "course.neg": """
the lecturer read his slides out word for word | I learnt nothing that isn't on the first page of
    a search
the exercises had nothing to do with the lessons | it was pitched far above our heads
half the sessions were cancelled | he made us feel stupid for asking
the videos are out of date by ten years | I was bored stiff
nobody ever marked my homework | the certificate isn't worth the paper it's printed on
""",
    "course.neu": """
it takes place on Wednesday evenings | there is a test at the end of each unit
the fee includes the course book | you can join in week two | lessons last ninety minutes
the second term deals with grammar | the group is split in two after the break
""",
    "weather.thing": "weekend | summer | afternoon | spring | bank holiday | day at the coast",
    "weather.aspect": "forecast | sunshine | evening | temperature | sunset | morning",
    "weather.open": """
we were by the lake | I was out walking all day | we had planned a picnic
it was the first of the month | we had the whole day off
""",
    "weather.pos": """
the sun came out just as we set off | there wasn't a cloud in the sky
the breeze kept it pleasantly cool | the garden is loving all this warm rain
what a glorious sunrise we had | the snow made everything look magical
it was warm enough to swim until dark | the air smelled fresh and sweet
I'd forgotten how good sunshine feels | it couldn't have been nicer
""",
    "weather.neg": """
it poured from morning to night | the humidity was unbearable
we were soaked to the skin | the wind ruined the whole picnic
it's been grey and miserable for weeks | the heat kept us awake every night
hail flattened my tomatoes | I'm sick and tired of this drizzle
the fog spoilt the view we had come for | my fingers went numb in the cold
""",
    "weather.neu": """
it was about fifteen degrees | there was some cloud in the west | rain is due around noon
the wind turned to the south in the evening | it stays light until nine now
the clocks go back this month | temperatures were near the mean for the season
""",
    "shop.thing": "shop | online shop | department store | garden centre | hardware shop | market",
    "shop.aspect": """
customer service | range | delivery | website | packaging | returns desk | price
""",
    "shop.open": """
I ordered on a Sunday evening | I went in to change a lamp | I've been a customer for ten years
I phoned them about my order | I needed some paint
""",
    "shop.pos": """
the parcel was here the next morning | they swapped it without asking questions
the lady at the till was an absolute sweetheart | they even threw in a free sample
everything was wrapped with care | they rang me back as promised, and sorted it
you won't find better prices anywhere | the advice was sound and patient
they honoured the guarantee after four years | I always find what I need there
""",
    "shop.neg": """
the parcel never turned up | they sent the wrong size twice
the man on the phone was rude | I've been waiting three weeks for my refund
the box was crushed and the vase in pieces | they charged me twice
nobody answers e-mails | the queue was endless and one till was open
they refused to take it back | it took six calls to get a straight answer
""",
    "shop.neu": """
they are open until eight on Thursdays | delivery takes three to five days
the entrance is round the back | orders over thirty ship free
the receipt is sent by e-mail | they moved to the new building in June
the toy section is on the second floor
""",
    "game.thing": "game | board game | puzzle | expansion | platformer | card game | racing game",
    "game.aspect": """
story | controls | level design | multiplayer | artwork | rule book | difficulty
""",
    "game.open": """
I've put about thirty hours into it | we play it on Sundays | I got it in the sale
I played it with {who} | I played it on the hard setting
""",
    "game.pos": """
I keep coming back for one more round | the controls feel natural within minutes
every session ends in laughter | the world is a delight to explore
the music gives me goosebumps | it's easy to learn and never gets old
the last boss had me cheering out loud | even my grandmother is hooked
the updates keep making it better | it runs smooth as butter
""",
    "game.neg": """
the servers are down half the time | it's a grind from start to finish
the rules are as clear as mud | it wants money at every turn
the camera made me seasick | my saved game got wiped
the opponents cheat and nobody cares | the pieces were warped and one was missing
it's buggy beyond belief | I got bored after twenty minutes
""",
    "game.neu": """
two to five people can play | a round takes about forty minutes | it needs 60 gigabytes of disk
there are twelve levels and a bonus one | it's rated for ages ten and up
the second edition has a new map | it can be played without a connection
""",
    "music.thing": "concert | album | gig | festival | musical | choir evening | podcast",
    "music.aspect": """
sound | singing | set list | drumming | lighting | crowd | venue | second half
""",
    "music.open": """
we had seats in the balcony | I came for the support act | I've followed the band since school
{who} had a spare ticket | I heard it on the radio first
""",
    "music.pos": """
her voice sent shivers down my spine | we danced until our feet hurt
they played every song I had hoped for | the whole hall was on its feet
I've had it on repeat all week | the new songs are their strongest yet
the band were clearly having a ball | the quiet numbers moved me to tears
you could hear every instrument | what an unforgettable night
""",
    "music.neg": """
the sound was a muddy mess | he was off key all night
they turned up ninety minutes late and played for forty | every song sounds the same
we couldn't see a thing | the lyrics are embarrassing
they mimed half of it | the new album is a snooze
the drunk crowd ruined it | my ears were ringing for two days
""",
    "music.neu": """
there were two encores | doors open at seven | the record has eleven tracks
the interval lasted twenty minutes | it was recorded in a church
the support act was a duo with a cello | the tour goes on until December
""",
    "clothes.thing": "jacket | dress | pair of boots | jumper | coat | rucksack | shirt",
    "clothes.aspect": "fit | fabric | colour | zip | stitching | lining | cut",
    "clothes.open": """
I bought it for the winter | I ordered my usual size | I wore it to a wedding
I've washed it a few times | it was a present from {who}
""",
    "clothes.pos": """
it fits like a glove | I get compliments every time I wear it
it's warm without being heavy | it still looks new after a year
the fabric is soft and feels expensive | not a drop of rain got through
I bought a second one in blue | the pockets are a godsend
it looks even better than in the picture | so comfy I forget I'm wearing it
""",
    "clothes.neg": """
the zip broke on the second day | it shrank to a doll's size in the wash
the colour is nothing like the photo | it itches like mad
the seams came apart within a week | it leaks at the shoulders
it reeks of chemicals | the sizes are all over the place
it gave me blisters | it bobbled after one wear
""",
    "clothes.neu": """
it's seventy per cent cotton | there are two pockets inside | it comes in five colours
it should be washed at thirty degrees | the sleeves end just above the wrist
the label is on the left | the men's version has buttons
""",
    "kitchen.thing": """
kettle | toaster | vacuum cleaner | coffee machine | blender | washing machine
""",
    "kitchen.aspect": "motor | noise level | handle | manual | cleaning | lid | design | power",
    "kitchen.open": """
it's been in the kitchen since Easter | our old one gave up after nine years
I compared a few before buying | {who} uses it more than I do | it was on offer
""",
    "kitchen.pos": """
it does a perfect job every morning | it's so quiet you can talk beside it
cleaning it is child's play | it's still going strong after six years
it gets into every corner | it paid for itself in no time
the dog hair is gone in one go | it's a doddle to use
it looks smart and feels sturdy | I don't know how I lived without it
""",
    "kitchen.neg": """
it gave up the ghost after three weeks | it leaks all over the worktop
it's as loud as a jet | the handle snapped off
it smells of burnt plastic | it burns one side and leaves the other pale
it's a nightmare to clean | spare parts are nowhere to be had
the suction wouldn't lift a feather | the lid never shuts properly
""",
    "kitchen.neu": """
it holds one and a half litres | the cord is a metre long | it has three settings
it weighs about two kilos | the manual is in five languages
it switches itself off after ten minutes | it comes with two filters
""",
    "health.thing": "clinic | dentist | surgery | optician | gym | yoga studio | physio",
    "health.aspect": "reception | waiting time | treatment | advice | equipment | changing room",
    "health.open": """
I went for a check-up | I joined in the new year | I had hurt my knee
I was sent there by my doctor | I took {who} along
""",
    "health.pos": """
she took the time to listen | I didn't feel a thing | my back hasn't been this good in years
the nurse put me at ease at once | they saw me within the hour
he explained every step | the trainers cheer you on without pushing
I walked out pain-free | I can finally see properly again | I actually look forward to going
""",
    "health.neg": """
I sat in the waiting room for two hours | he didn't even look up from his screen
the filling fell out the next day | they won't let me cancel my membership
the receptionist barked at me | the showers are disgusting
I came out in more pain than I went in with | they lost my records
half the machines are broken | she rushed me out after three minutes
""",
    "health.neu": """
they are closed on Friday afternoons | there are two doctors | a form must be filled in beforehand
the classes last an hour | the building has a ramp | an appointment takes twenty minutes
they text a reminder the day before
""",
    "culture.thing": "museum | exhibition | guided tour | castle | zoo | theme park | gallery",
    "culture.aspect": "audio guide | entrance fee | gift shop | signage | collection | guide",
    "culture.open": """
we went on a rainy Saturday | I took my class there | entry was free that day
we had about two hours | it was our first time in the city
""",
    "culture.pos": """
our guide knew a good story about every stone | the kids were glued to it
we could have stayed all day | the displays are imaginative and clear
it brought history to life | the gardens are a feast for the eyes
the staff are full of enthusiasm | you see things there you'll see nowhere else
it's a hidden treasure | I came out inspired
""",
    "culture.neg": """
half the rooms were shut | we queued for two hours to see very little
the animals looked sad and cramped | the guide mumbled and rushed us along
it's a tourist trap | the labels are tiny and full of errors
the whole place needs a good scrub | they charge extra for every little thing
the children were bored to tears | you see more queues than paintings
""",
    "culture.neu": """
it's spread over three floors | the last entry is at half past four
bags must be left in a locker | it was built in the nineteenth century
the tour starts at the main gate | photographs are allowed without flash
under-twelves pay half
""",
    "money.thing": """
bank | insurer | broadband provider | energy company | estate agent | council office
""",
    "money.aspect": "phone support | online account | contract | communication | staff | pricing",
    "money.open": """
I've been with them for six years | I had to change my address | we moved house in the spring
I made a claim after the storm | I rang about my bill
""",
    "money.pos": """
my claim was settled in two days | a real person picks up the phone
switching was painless | they spotted the mistake before I did and put it right
the connection hasn't dropped once | she cut through the red tape for us
there are no hidden charges | they found us a house we adore
everything is explained in plain words | my bill went down by a third
""",
    "money.neg": """
I was on hold for an hour and then cut off | they put the price up without telling us
the connection drops every evening | they wriggled out of paying my claim
I was passed from pillar to post | the small print is a minefield
they lost my papers three times | they keep billing me for an account I closed
the agent lied to our faces | the chat robot understands nothing
""",
    "money.neu": """
the contract runs for two years | statements come on the first of the month
the branch closes at four | there is a form for that on the website
you need a passport and a recent bill | the tariff has two price bands
they merged with another one last year
""",
    "home.thing": "flat | neighbourhood | office | town | park | library | village",
    "home.aspect": "location | heating | landlord | light | street | noise | layout",
    "home.open": """
we moved in at the end of May | I've lived here for three years | I walk there most mornings
{who} lives round the corner | I work there twice a week
""",
    "home.pos": """
the neighbours welcomed us with open arms | it's light and airy all day
you can hear the birds in the morning | everything I need is within walking distance
it feels safe even late at night | the playground is a dream for toddlers
the people there go the extra mile | I feel at home here
it's a little oasis in the city | the landlord fixes things the same day
""",
    "home.neg": """
the damp gets into everything | the people upstairs stamp about all night
there's rubbish everywhere | the heating packs up every winter
I don't feel safe there after dark | the landlord ignores every message
the traffic noise drives me up the wall | it's draughty and dark
the drains stink | you can't find a parking space for love nor money
""",
    "home.neu": """
it has two rooms and a small kitchen | the bus stops in front of the door
it's on the third floor | about four thousand people live here
the market is on Saturdays | the lease is for one year | there are benches by the pond
""",
    "car.thing": "car | van | scooter | bike | hire car | garage | electric car",
    "car.aspect": "steering | boot | comfort | mileage | dashboard | braking | paintwork",
    "car.open": """
I've done about five thousand miles in it | we hired it for a week | I bought it second-hand
I took it in for a service | {who} drives it to work
""",
    "car.pos": """
it drives like a dream | it sips fuel | it swallows all our luggage and the dog
it has never let me down | the ride is smooth even on cobbles
the mechanic was honest and quick | parking it is a breeze
it takes hills without breaking a sweat | the seats are comfy on long trips
it's a blast to ride
""",
    "car.neg": """
it broke down twice in the first month | it guzzles fuel
the brakes squeal and the garage doesn't care | the touchscreen is a menace while driving
they charged me for scratches that were there before | rust came through after two winters
my back aches after half an hour in it | the real range is half of what they claim
it rattles like a tin can | it wouldn't start whenever it rained
""",
    "car.neu": """
it seats five | the tank holds forty litres | it comes with winter tyres
it's due for a service every year | the spare key is in the glove box
it's ten centimetres longer than the old one | charging takes six hours at home
""",
}

# --- sentiment: how it is said ---

TEMPLATES = {
    "positive": """
{open}. {pos}, and {pos}. {yes}.
{pos}. {yes}.
{pos}!
{good} {thing}, {good} {aspect}.
this {thing} is {raves}.
{open}, and {pos}.
[not a bad word to say about/nothing to complain about with] this {thing}: {pos}.
this {thing} is anything but {bad}: {pos}.
the {aspect} isn't {bad} at all, [it's/if anything it's] {good}.
I [expected/was braced for] something {bad} and got a {good} {thing} instead.
I was [sceptical/doubtful/not convinced] at first, but {pos}.
{neg}, [I admit/it's true]; still, {pos}, and [overall/on balance/all in all] {yes}.
{bad} {aspect}, but the {aspect} is {good} and on the whole this {thing} is {raves}.
{who} [warned me off/wasn't keen on] this {thing}. [They were wrong/Glad I didn't listen]: {pos}.
{aside}, {pos}.
{aside}, I [never thought I'd say this/don't say this often], but this {thing} is {raves}.
[I have rarely seen/I have seldom come across/you won't easily find] a {thing} this {good}.
{open}. [What a/Such a] {good} {thing}!
the {aspect} [alone/by itself] is {raves}, and then {pos}.
don't let the {bad} {aspect} [put you off/fool you]: {pos}.
I can't [fault/find fault with] the {aspect}, and {pos}.
[I would like to express my thanks/One has to give credit where it is due]: the {aspect} was
    {very} {good} and {pos}.
love the {aspect}, love the {thing}. {yes}.
{pos}. {pos}. {pos}. {yes}.
no {bad} surprises here, [just/only] a {good} {thing}. {good} {aspect} [too/as well].
there is [hardly anything/little/not much] I would change about this {thing}. {pos}.
the {aspect} could be [better/a bit better], but that's [a quibble/nitpicking]. {pos}. {yes}.
[if only every/I wish every] {thing} were like this. {pos}.
{who} and I [agree for once/both say it]: {raves}.
{pos}, [which is more than I can say for the last one I tried/unlike at the other place].
{open}. {neu}, and {neu}. [granted,/I'll admit that] {neg}, but that is [soon forgotten/a detail]:
    {pos}, {pos}, and {pos}. the {aspect} is {raves}. {yes}, and {who} [agrees/says the same].
{open}, and I had [read/heard] that the {aspect} was {bad}. [I can't confirm that/Not so]. {pos}.
    {pos}, and [what's more/on top of that] {pos}. {neu}. if you [are unsure/can't decide]
    about this {thing}, [go for it/do it]: {yes}.
{who} had been [on at me/telling me] for [months/ages] about this {thing}. {neu}. {pos}, and {pos}.
    the one thing I'd change is the {aspect}, but even so {yes}.
""",
    "negative": """
{open}. {neg}, and {neg}. {no}.
{neg}. {no}.
{neg}!
{bad} {thing}, {bad} {aspect}.
this {thing} is {pans}.
{open}, and {neg}.
I [really wanted/wanted so much/tried hard] to like this {thing}, but {neg}.
this {thing} is anything but {good}: {neg}.
the {aspect} isn't {good} at all, [it's/if anything it's] {bad}.
I [expected/was promised/had hoped for] something {good} and got a {bad} {thing} instead.
I was [excited/full of hope/quite impressed] at first, but {neg}.
{pos}, [I admit/it's true]; even so, {neg}, and [overall/on balance/all in all] {no}.
{good} {aspect}, but the {aspect} is {bad} and on the whole this {thing} is {pans}.
{who} [raved about/swears by/recommended] this {thing}. [I can't see why/I beg to differ]: {neg}.
{aside}, {neg}.
{aside}, I [don't like to moan/hate to say it], but this {thing} is {pans}.
[I have rarely seen/I have seldom come across] a {thing} this {bad}.
{open}. [What a/Such a] {bad} {thing}!
the {aspect} [alone/by itself] is {pans}, and then {neg}.
don't let the {good} {aspect} [tempt you/fool you]: {neg}.
I can't [stand/forgive] the {aspect}, and {neg}.
[I am writing to complain/I regret to say that I am dissatisfied]: the {aspect} was
    {very} {bad} and {neg}.
hate the {aspect}, hate the {thing}. {no}.
{neg}. {neg}. {neg}. {no}.
nothing {good} here, [just/only] a {bad} {thing}. {bad} {aspect} [too/as well].
there is [hardly anything/little/not much] I like about this {thing}. {neg}.
the {aspect} is [okay/all right/fine], but that's [all/about it]. {neg}. {no}.
[why can't this/is it too much to ask that a] {thing} be {good}? {neg}.
{who} and I [agree for once/both say it]: {pans}.
{neg}, [which never happened with the last one I tried/unlike at the other place].
{open}. {neu}, and {neu}. [granted,/I'll admit that] {pos}, but that is [no excuse/cold comfort]:
    {neg}, {neg}, and {neg}. the {aspect} is {pans}. {no}, and {who} [agrees/says the same].
{open}, and I had [read/heard] that the {aspect} was {good}. [I can't confirm that/Not so]. {neg}.
    {neg}, and [what's more/on top of that] {neg}. {neu}. if you [are unsure/can't decide]
    about this {thing}, [leave it/don't]: {no}.
{who} had been [on at me/telling me] for [months/ages] about this {thing}. {neu}. {neg}, and {neg}.
    the one thing I can't fault is the {aspect}, but even so {no}.
""",
    "neutral": """
{open}. {neu}, and {neu}. {meh}.
{neu}. {meh}.
{neu}.
{fair} {thing}, {fair} {aspect}.
this {thing} is {par}.
{open}, and {neu}.
{neu}. {neu}. {neu}.
this {thing} is neither {good} nor {bad}: {meh}.
the {aspect} is {fair}, [and so is/the same goes for] the {aspect}.
I [expected/had in mind] something {fair}, and that is what this {thing} is.
I [haven't tried it for long/only had a quick look], but {neu}.
{pos}, but {neg}, so [it evens out/I'm in two minds/mixed feelings here/it's a draw].
{good} {aspect}, {bad} {aspect}: [it balances out/a mixed bag/swings and roundabouts]. {meh}.
{who} [loves/likes] this {thing}, {who} [doesn't/can't stand it]. {meh}.
{aside}, {neu}.
{aside}, I [don't mind either way/have no opinion yet] on this {thing}. {neu}.
[it's not a {good} {thing}, but not a {bad} one/not {bad}, not {good}, this {thing}]. {meh}.
{open}. [For information/Just so you know]: {neu}.
does anyone know [if/whether] the {aspect} of this {thing} is [the same/different] elsewhere?
    {open}.
[good points/plus]: {pos}. [bad points/minus]: {neg}. [sum/total]: {meh}.
the {aspect} has changed since last year: {neu}.
[for the record/as far as I can tell/according to the leaflet], {neu}.
I [compared/looked at] this {thing} and another one; the {aspect} is [about the same/similar].
{neu}. {open}. {neu}.
I'd call the {aspect} {fair}: [no praise, no complaint/nothing to add]. {neu}.
[some days/sometimes] {pos}, [other days/at other times] {neg}. {meh}.
{who} asked about the {thing}, so: {neu}, {neu}.
a {fair} {thing}. {neu}.
I was told that {neu}.
nothing to report on the {aspect}. {neu}. {meh}.
{open}. the {aspect} was {fair}, [like most/as usual/as you'd think].
{open}. {neu}, {neu}, and {neu}. the {aspect} is {fair}, the {aspect} likewise. {who} asked me
    [what I think/for my view] and I [said/had to say]: {meh}. {neu}.
{open}. on the one hand {pos}, and {pos}. on the other hand {neg}, and {neg}. {neu}. so this
    {thing} is {par}, [and I'd leave it at that/at least for me]: {meh}.
{who} had been [on at me/telling me] for [months/ages] about this {thing}. {neu}, and {neu}.
    the {aspect} is {good}, the {aspect} is {bad}, the rest is {fair}. {meh}.
""",
}

OPINIONS = {
    "positive": """
Not bad at all!
Couldn't fault it.
Yes, yes, yes.
I take back everything I said last year.
Ten out of ten, would queue again.
Best tenner I've spent in ages.
It isn't cheap, but boy is it worth it.
I don't give five stars lightly. Here they are.
Never had a problem with it, and I've had it since 2015.
You'd be mad to miss this.
My expectations were low. I have rarely been so happy to be wrong.
It's not often that a plumber turns up early, tidies up after himself and charges less than he
    quoted. Ours did.
The first twenty minutes are slow and I was about to switch it off. So glad I didn't, because
    what follows is one of the finest hours of television I have seen.
i usually hate musicals but this one got me humming all the way home
Nothing fancy, just honest food cooked by people who care.
Wouldn't swap it for anything.
She could have read us the phone book and we'd have hung on every word.
I've tried a dozen of these over the years and sent eleven of them back. This is the twelfth.
It took me a while to warm to it, yet now it's the first thing I reach for in the morning.
We had feared the worst after reading some of the comments here. No idea what those people were
    on about: clean sheets, friendly faces, a view to die for.
Small niggle: the instructions are only in German. Big plus: you don't need them.
Does exactly what it says on the tin, and does it beautifully.
The price made me gulp, but the quality made me forget the price.
Can't stop listening.
Hands down the friendliest crew I have ever flown with.
If you are on the fence, jump.
My grandson has not put it down since Christmas, and it's now August.
Thanks to this little app I've finally stopped forgetting my pills.
I came for the cake and stayed for the company. What a place.
No gimmicks, no fuss, no regrets.
The committee wishes to thank your staff, whose patience and courtesy throughout the event were
    exemplary.
Three years on and it has yet to let me down.
They didn't have to replace it, the guarantee had run out, but they did. That's how you keep a
    customer.
It's rare to find a guide book you actually want to read in bed.
I cried, I laughed, I rang my brother.
I was ready to complain about the wait until the food came. All is forgiven.
Far less noisy than my old one, and twice as quick.
Lessons I used to dread are now the best part of my week.
The old version was a mess. The new one? Chef's kiss.
Even the queue was fun.
Hard to believe it's their first restaurant, everything runs like clockwork.
The rain didn't matter one bit, we had the time of our lives.
what a lovely little shop, came out with three things i didnt know i needed
I've never felt so well looked after in a hospital.
It may look plain, but it goes like the wind.
If there's a better pasty in this county I have yet to eat it.
The sequel nobody asked for turns out to be the one we needed.
I did not think a spreadsheet course could make me laugh out loud. It did.
No more wet socks! These boots have changed my winters.
Bought one for the office, then one for home, then one for my mother. Says it all.
The battery claims are true for once.
Whoever designed the handle deserves a medal.
I would not hesitate to stay there again.
There's always something to grumble about, they say. I've looked hard and found nothing.
Simple, sturdy, cheap. Sold.
Our flight was delayed by snow, which is nobody's fault, and the way the ground staff dealt with
    two hundred tired people was a lesson in kindness.
Just what the doctor ordered after a long week.
the sound on these is unreal for the money, get them
It grew on me. By the third chapter I was in love.
Neither of us is a morning person, but that breakfast got us out of bed.
It's the little touches that make it: a torch by the bed, a map in the hall, biscuits.
I didn't want the evening to end.
""",
    "negative": """
Not good.
Not worth it.
Where do I start?
I could have done without this.
Wouldn't give it to my worst enemy.
Two hours I won't get back.
How this got past testing is beyond me.
Great picture, dreadful sound, and overall I'd return it if I could.
I wanted to love it. I really did. But after a week it's back in its box.
It isn't the price I mind, it's the contempt.
Lovely building, shame about everything that happens inside it.
The first chapter is a gem. Sadly there are thirty more.
It worked for a day. One day.
My old one was better, and that one was held together with tape.
The reviews were glowing, so I suppose I must have got the one bad one out of a thousand, but bad
    it is: no power, no sound, no answer from the makers.
At this place you are ignored at the door, ignored at the table and overcharged at the till.
Didn't work. Sent it back. Still no refund.
I don't understand the hype, there's no story and nobody to root for.
You'd think that for this money they could manage hot water.
i used to like this place but its gone downhill fast since the new owners
Nothing works as described.
It's beyond me why anybody would pay for that.
Fell apart in my hands.
Not once in three weeks did anyone pick up the phone.
It could have been so good. Instead we got two hours of people shouting in a car park.
I have written four letters and have not received the courtesy of a reply.
He was neither polite nor punctual, and the tap still drips.
All sizzle and no sausage.
Hardly a day goes by without another error message.
The staff can't be blamed, they're run off their feet, but whoever manages that hotel should be.
Looks nice in the catalogue. That's the last nice thing I can say.
Too salty, too sweet, too dear.
We left before the dessert, hungry.
It's clean, I'll give them that. It's also freezing, noisy and miles from anywhere they say it's
    near.
The update fixed one thing and broke ten.
Never have I been so glad to see the closing credits.
I had to read the instructions five times and I'm an engineer.
My daughter came home in tears, which is not what I pay a riding school for.
they changed the recipe and now it tastes like cardboard
Good idea, no execution.
Unusable on a small screen.
The only thing that sparkled was the water, and that cost six pounds.
Would I go again? Not if you paid me.
It promises the moon and can't even deliver a light bulb.
What used to take one click now takes seven. How is that progress?
Stopped charging the day after the guarantee ran out.
I've had warmer welcomes from a parking meter.
Our seats were behind a pillar, nobody had mentioned that when we paid full price.
No flavour, no atmosphere, no thanks.
I wouldn't trust them with a goldfish.
There was not a single vegetable on the table that had not been boiled to death.
The lecturer knows his subject, no doubt, but he can't teach to save his life, and I dropped out
    in week three.
It hurts to say so as a fan, but this record should have stayed in the drawer.
I sneezed the whole night, the pillows must be older than me.
Six months of building work outside our window and not one word of warning when we booked.
so disappointed, it was meant to be a special day and they forgot us
Every time I think I've seen the worst of this firm they surprise me.
It didn't live up to the first film by a long chalk.
You get lukewarm tea and a cold shoulder.
Cheap and nasty.
There's no excuse for that sort of rudeness.
The map sent us into a field. Twice.
""",
    "neutral": """
It's ok.
Fine.
Meh.
Three stars.
It's a kettle. It boils water.
Arrived today, haven't opened it yet.
I'll update this review when I've used it for longer.
Same as the previous model, as far as I can see.
No complaints, but nothing to rave about either.
Does this work with a European plug?
The parcel contained two cables, a manual and a bag of screws.
Liked the first half, disliked the second. Call it a draw.
Bought as a gift, so I can't say much about it.
Some good songs, some bad ones, which is true of most albums.
My wife gives it five, I give it one, so here are three.
It was neither as good as my friends said nor as bad as the papers made out.
The meeting has been moved to room 12.
If you like this sort of thing, you'll like it; if you don't, you won't.
We had the soup and the fish. We paid about forty pounds and were out by nine.
The film is in black and white, with a short introduction by the director.
I use it now and then.
The screen measures fourteen inches and the thing weighs a kilo and a half.
The food was good and the service was bad, so I don't know what to give them.
Can anybody tell me how long the battery takes to charge?
Average weather for the time of year, some sun, some showers.
it's alright i guess, nothing more nothing less
There are cheaper ones and there are better ones; this one sits in between.
The course has ten units, each with a short video and a quiz.
They changed the packaging. The contents look the same to me.
Breakfast is from seven. The usual: toast, cereal, eggs.
I was expecting either a masterpiece or a disaster and it was neither.
It is located behind the church, about five minutes on foot from the bus stop.
Not my cup of tea, though I can see why others enjoy it.
The hotel was being renovated when we stayed, so it would be unfair to rate it.
The plot: a widow inherits a boat and sails it to Norway.
Good value on weekdays, poor value at weekends.
The new version moves the toolbar to the bottom and adds a dark theme.
Worked as expected.
I've had it for two days, too early to tell.
Pros: light, cheap. Cons: noisy, ugly. You decide.
It did what I needed and then I gave it to my brother.
The train was on time on the way there and late on the way back.
Nothing much happens in this book, and that seems to be the point.
For the price it's reasonable, for more I'd look elsewhere.
Opening hours have changed, it's nine to five now.
i dont love it i dont hate it
Standard office chair, came in two boxes, took half an hour to put together.
The lecture dealt with the history of glass from Rome to the present day.
Please note that the medium is 96 cm across the chest.
I went because a friend had a ticket to spare. It was an evening out.
The dentist took an X-ray and said I should come back in six months.
The manual says to descale it once a month.
Neither impressed nor annoyed.
Could be better, could be worse.
Can't judge the sound yet as I've only used it with the television off.
There was a queue, but it moved.
Opinions in our house are divided.
It's an adaptation of a play, and you notice it: three rooms, six people, lots of talk.
The old one was blue, this one is green, otherwise no difference.
I read the English translation, so I can't speak for the original.
They sell bread, milk, newspapers and stamps.
Half the group wanted to stay, the other half wanted to go home.
""",
}

# --- entities: names ---

NAMES = {
    "given": """
Amina | Kofi | Chidi | Ngozi | Thabo | Zanele | Wanjiru | Abebe | Fatou | Moussa | Yusuf | Layla
Omar | Noor | Karim | Salma | Reza | Shirin | Arjun | Priya | Ananya | Vikram | Lakshmi | Imran
Ayesha | Tenzin | Nimal | Wei | Xiulan | Jun | Haruto | Yuki | Keiko | Minjun | Seo-yeon | Linh
Duc | Somchai | Siti | Budi | Maria | José | Lucía | Mateo | Camila | Diego | Ximena | João
Beatriz | Thiago | Giulia | Luca | Chiara | Élodie | Hugo | Margaux | Klaus | Annika | Jürgen
Lotte | Sven | Ingrid | Lars | Aino | Mikko | Zofia | Piotr | Jana | Tomáš | Milan | Ivana
Dmitri | Olena | Svetlana | Bogdan | Ioana | Eleni | Kostas | Elif | Emre | Ani | Levan | Aoife
Seán | Rhys | Carys | Fiona | Ewan | Emma | Oliver | Grace | Jack | Charlotte | Daniel | Rachel
Noah | Miriam | Eli | Leilani | Tane | Aroha | Will | Rose | Mark | April | Hope | Jordan | Austin
Sofia | Victoria | Chelsea | Ravi | Ada | Bill | Sue | Pat | Ray | Dawn
""",
    "surname": """
Okafor | Mensah | Adeyemi | Dlamini | Mwangi | Tesfaye | Diallo | Traoré | Nkosi | Haddad
Al-Masri | El Amrani | Hosseini | Khan | Rahman | Sharma | Patel | Iyer | Banerjee | Singh
Perera | Gurung | Chen | Zhang | Liu | Tanaka | Suzuki | Kim | Park | Nguyen | Tran | Santoso
García | Fernández | Morales | Quispe | Rojas | da Silva | Oliveira | Pereira | Rossi | Bianchi
De Luca | Dubois | Lefèvre | Moreau | Müller | Schneider | Vogel | van den Berg | de Vries
Janssens | Lindqvist | Johansen | Nieminen | Kowalski | Nowak | Novák | Horvat | Petrović
Ivanov | Shevchenko | Popescu | Papadopoulos | Yılmaz | Petrosyan | Beridze | Murphy | O'Brien
MacLeod | Davies | Llewellyn | Smith | Taylor | Wright | Baker | Green | Young | Hill | Cohen
Levy | Kahale | Ngata | Washington | London | Bell | Stone | Marsh | Field | Page | Cook | Reed
Winter | Day | French | Banks | Price | Short
""",
    "person": """
{given} {surname} | {given} {surname} | {given} {surname} | {given} {surname} | {given}
{given} | {given} {surname}-{surname} | {initial}. {surname} | {given} {initial}. {surname}
{given} {given} {surname}
""",
    "initial": "A | B | C | D | E | F | G | H | J | K | L | M | N | P | R | S | T | W",
    "first": "{given}",
    "last": "{surname}",
    "city": """
Accra | Lagos | Nairobi | Dakar | Kampala | Cape Town | Addis Ababa | Cairo | Casablanca | Tunis
Beirut | Amman | Istanbul | Tbilisi | Yerevan | Tehran | Karachi | Lahore | Mumbai | Pune | Kochi
Dhaka | Colombo | Kathmandu | Bangkok | Hanoi | Ho Chi Minh City | Jakarta | Manila | Singapore
Hong Kong | Shanghai | Chengdu | Taipei | Seoul | Busan | Osaka | Kyoto | Sapporo | Perth
Melbourne | Auckland | Wellington | Suva | Honolulu | Vancouver | Toronto | Montréal | Boston
New Orleans | San Diego | Salt Lake City | Chicago | Austin | Mexico City | Oaxaca | Bogotá | Lima
La Paz | Quito | São Paulo | Recife | Montevideo | Buenos Aires | Reykjavík | Dublin | Cork
Glasgow | Leeds | Bristol | Newcastle upon Tyne | Reading | Bath | Cardiff | Lisbon | Porto
Seville | Bilbao | Lyon | Nice | Marseille | Turin | Naples | Zürich | Vienna | Graz | Munich
Leipzig | Cologne | Rotterdam | Ghent | Aarhus | Bergen | Malmö | Tampere | Tallinn | Riga
Gdańsk | Kraków | Brno | Budapest | Ljubljana | Zagreb | Sarajevo | Athens | Thessaloniki | Odesa
Cluj-Napoca
""",
    "country": """
Ghana | Nigeria | Kenya | Senegal | Ethiopia | South Africa | Morocco | Egypt | Lebanon | Jordan
Turkey | Georgia | Armenia | India | Pakistan | Sri Lanka | Nepal | Thailand | Vietnam | Indonesia
China | South Korea | Japan | Australia | New Zealand | Canada | the United States | Mexico | Cuba
Peru | Bolivia | Chile | Brazil | Iceland | Ireland | Scotland | Wales | Portugal | Spain | France
Italy | Switzerland | Germany | the Netherlands | Denmark | Norway | Finland | Estonia | Poland
Czechia | Croatia | Greece | Ukraine | Romania
""",
    "spot": """
Lake Victoria | Lake Garda | the Alps | the Andes | Mount Kenya | Ben Nevis | the Danube
the River Severn | the Baltic Sea | Bavaria | Tuscany | Catalonia | Kerala | Patagonia | Yorkshire
the Black Forest | Brooklyn | Montmartre | Kreuzberg | Soho | Table Mountain | the Sahara
the Isle of Skye | Crete | Zanzibar | Bali | Hyde Park | Red Square | the Bosphorus | Loch Lomond
Cape Horn | the Amazon | Mount Fuji | Snowdonia | the Black Sea | Jeju Island | West Africa
{street} | {street} | {street} | {surname} Bridge
{tree} Park | {city} Airport | {city} Central Station | {tree} Hill
""",
    "street": """
{surname} Street | {tree} Road | {tree} Lane | {surname} Square | {tree} Avenue | {tree} Street
""",
    "tree": """
Oak | Willow | Elm | Harbour | Mill | Station | Chestnut | Church | Rose | Linden | Orchard
""",
    "place": "{city} | {city} | {city} | {country} | {country} | {spot} | {spot}",
    "org": """
UNESCO | the World Health Organization | the Red Cross | Toyota | Siemens | Nestlé | Samsung
Sony
IKEA | Lufthansa | Tata Steel | Nokia | Volvo | the BBC | NASA | Reuters | Oxfam | Greenpeace
Airbus | Spotify | Ericsson | Infosys | Microsoft | Google | Apple | Amazon | Intel | Shell | Visa
Target | Orange | the European Commission | Interpol | CERN | the World Bank
{surname} & Sons | {surname} and {surname} | {surname} Brothers | University of {city}
{city} University | {city} City Council | Bank of {city} | {city} United | FC {city} | {city}
    Rovers
{surname} Foundation | Ministry of {ministry} | {tree} {school} | {stem} {tail} | {stem} {tail}
{stem} {tail} | {stem} {tail} | {stem} {tail} | {stem} | {stem} | {stem} | {stem} {tail}
{city} {hall} | {city} {hall} | {surname} {tail} | {city} {tail} | Institute of {ministry}
""",
    "team": """
{city} United | FC {city} | {city} Rovers | {city} Tigers | Sporting {city} | {city} City
""",
    "ministry": "Health | Transport | Education | Agriculture | Foreign Affairs | Labour | Energy",
    "school": "Primary School | Lane Clinic | Housing Association | Street Bakery | Hill College",
    "hall": "Opera | Museum of Art | Symphony Orchestra | General Hospital | Chess Club | Herald",
    "stem": """
Blueharbor | Nordwind | Veltria | Quantessa | Greenlark | Ostrava Labs | Kestrel | Solvane
Brightloom
Redstone | Marigold | Tallgrass | Zephyr | Umbra | Pinecrest | Oystercatcher | Halcyon | Lumenta
Copperfield | Arkado | Meridian | Sundial | Fernhill | Ironbridge | Kumquat | Tessellate | Ravenna
Wolkenreich | Hikari | Azulejo | Baobab | Sankofa | Himal | Savanna
""",
    "tail": """
Logistics | Energy | Bank | Foods | Systems | Airlines | Insurance | Press | Pharma | Motors
Software | Media | Group | Ltd | Inc. | GmbH | Partners | Textiles | Robotics | Trust | Records
""",
    "product": """
iPhone 15 | iPad Air | MacBook Pro | Galaxy S24 | Pixel 8 | Kindle Paperwhite | PlayStation 5
Xbox Series X | Nintendo Switch | Windows 11 | Photoshop | Excel | PowerPoint | WhatsApp
Android 14
Firefox | Thunderbird | Corolla | Model 3 | Civic | Vespa | Airbus A320 | Boeing 737 | Lego
    Technic
ThinkPad X1 | Surface Pro | GoPro Hero 12 | Roomba | Ubuntu | LibreOffice | Blender | Outlook
Raspberry Pi 5 | Arduino Uno | Thermomix | AirPods | Canon EOS R6 | Sony WH-1000XM5 | Word | Teams
Google Maps | Apple Watch | Fiat Panda | Volvo XC40 | Nutella | Aspirin | Post-it | Zoom | Teflon
{stem} {model} | {stem} {model} | {stem} {model} | {line} {model} | {line} {model} | {line} #
{line} #00 | {line} Pro | {line} Mini | {stem} {line} | {stem} {line} {model} | {line}Phone X#
{line}Book ## | {stem} Office #.# | {line}-##
""",
    "line": """
Aero | Nimbus | Cobalt | Trailmaster | Pebble | Orbit | Swift | Echo | Lynx | Polaris | Juniper
SilentClean | EasyBrew | AquaPure | Vento | Falcon | Comet | Tundra | PowerDrill | Cityglide
""",
    "model": """
S# | X## | #00 | Pro | Max | Mini | Plus | Lite | GT | #.# | Air | ##0 | Ultra | Go | Mk #
""",
    "month": """
January | February | March | April | May | June | July | August | September | October | November
December
""",
    "weekday": "Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday",
    "nth": "1st | 2nd | 3rd | 4th | 5th | 9th | 12th | 15th | 21st | 23rd | 28th | 30th",
    "year": "19#4 | 200# | 201# | 201# | 202# | 202# | 19#0 | 18#7",
    "season": "spring | summer | autumn | winter",
    "onday": """
{weekday} | {weekday} | {weekday} | # {month} | 1# {month} | 2# {month} {year} | # {month} {year}
{month} 1# | {month} 2#, {year} | {month} {nth} | {nth} of {month} | {weekday}, 1# {month}
{weekday} {nth} {month} | 202#-0#-1# | 1#/0#/202# | 1#.0#.202# | {month} # | New Year's Eve
Christmas Day
""",
    "past": """
yesterday | today | last week | last {weekday} | last month | last year | this morning
yesterday evening | two days ago | three weeks ago | last {season} | last {month} | on {weekday}
in {month} | ten years ago | last night | a week ago | the day before yesterday | last weekend
""",
    "soon": """
today | tomorrow | tonight | next week | next {weekday} | this {weekday} | next month | next year
tomorrow morning | this {season} | next {month} | on {weekday} | in {month} | this weekend
the day after tomorrow | tomorrow evening | in two weeks | later this week | next {season}
""",
    "inyear": """
{year} | {year} | {year} | {month} {year} | {month} {year} | {season} {year} | {month} | the 19#0s
early {year} | late {month} | mid-{month} | the {season} of {year}
""",
    # These are no entities.
    "job": """
engineer | nurse | teacher | mayor | spokeswoman | director | author | goalkeeper | minister
baker
architect | violinist | farmer | judge | historian | captain | chemist | translator | driver
""",
    "thing": """
report | invoice | spare key | blue folder | contract | draft | parcel | ladder | slides | minutes
cake tin | umbrella | tickets | measurements | passport | suitcase | old photos | price list
""",
    "count": """
two | three | seven | a dozen | 40 | 150 | 1,200 | 3.5 million | nearly 600 | about 90
""",
}

# --- entities: sentences ---

SENTENCES = """
{person}, [a/the] former {job}, was elected mayor of {city} on {onday}.
{org} said on {onday} that it would open {count} branches in {country}.
Shares in {org} rose by {count} per cent after {person} took over as chief executive.
{country} and {country} signed the agreement in {city} on {onday}.
The {job} {person} died in {place} in {inyear}, aged 84.
A fire at a warehouse of {org} near {city} was put out {past}.
{org} will build a plant in {place}, [the company/a spokesman] said {past}.
Heavy rain closed the road between {city} and {city} {past}.
Born in {city} in {inyear}, {person} moved to {country} as a child.
"We are delighted," said {person}, who heads {org} in {country}.
According to {org}, {count} people visited {place} in {inyear}.
The {product} goes on sale in {country} on {onday}, {org} announced.
{person} of {org} won the prize for her work on batteries.
{city}: {person} scored twice as {team} beat {team} 3-1.
Talks between {org} and {org} broke down {past}.
The court in {city} heard {person} as a witness {past}.
{org} has named {person} its new head of research.
{count} runners from {country} took part in the race around {place}.
Police in {city} are looking for the owner of a {product} found in the park.
In {inyear}, {org} was the largest employer in {place}.
The bridge, designed by {person}, was opened on {onday}.
{person}'s second novel, set in {place}, comes out in {inyear}.
Trains from {city} to {city} will not run on {onday}.
Prime Minister {last} met President {last} in {city} {past}.
The storm reached {place} {past} and moved on towards {country}.
{org} recalled {count} units of the {product} sold since {inyear}.
An exhibition about {person} opens at {org} {soon}.
{person} and {person} share the medal of {org}.
Farmers in {place} expect a good harvest, says {person}.
[Researchers/Scientists] at {org} tested the {product} in {place}.
{place} has had no rain since {inyear}.
The first {product} left the factory in {city} in {inyear}.
Minister {last} will visit {country} {soon}, her office said.
{org} of {city} and its rival {org} are in talks about a merger.
Two climbers from {city} were rescued on {place} {past}.
The strike at {org} enters its third week on {onday}.
{person} (left) and {person} at the opening in {city}.
hey, is {first} coming to {place} {soon}?
Can you ask {first} if she still has my {product}?
ok see you {soon} at {org}
just landed in {city}!! where are you
{first} says the {product} is broken again
Happy birthday {first}! See you on {onday}.
I left the {thing} at {first}'s place, could you pick it up {soon}?
we're moving to {place} in {inyear}, did {first} tell you?
My new {product} arrived {past} and I can't get it to work.
Tell {first} and {first} dinner is at eight.
Are you free on {onday}? {first} has a spare ticket.
Lost my phone on the bus to {place}, write to {first} instead.
No idea, ask {person}, she works at {org}.
Mum wants to know whether {first} eats fish.
Is the shop on {street} open on {onday}?
I can't find {product} in the shop, do they still make it?
{first} got the job at {org}!!!
Running late, start without me. {first} has the key.
did you see {first} on telly {past}
Bring your {product} and the charger please.
Good luck {soon}, {first}!
Do you remember {person} from school? Lives in {place} now.
the {product} or the {product}, which one would you get?
Train stuck outside {city}, back {soon} I guess.
{first} and I are at {place}, come over.
thanks for the {thing}, {first}, you're a star
My flight to {city} got moved to {onday}.
call {first} back {soon}, it's about the {product}
{first}, could you send the {thing} to {person} at {org}?
If {first} rings, I am in a meeting.
has anyone heard from {first} since {onday}
Dear {first}, please find attached the {thing} for {org}.
Dear Ms {last}, thank you for your order of {onday}.
Dear Mr {last}, we are sorry to hear that your {product} does not work.
Hello {first}, the meeting with {org} has been moved to {onday}.
I am writing on behalf of {org} regarding the {thing} you sent on {onday}.
Best wishes, {person}, {org}
Kind regards, {person}
Many thanks, {first}
Please send the {thing} to {person} by {onday} at the latest.
Could {first} take over the account of {org} from {inyear}?
As discussed with Dr {last} {past}, we will order {count} licences of {product}.
Our office in {city} is closed until {onday}.
I met {person} of {org} at the fair in {city} and promised her the {thing}.
You will be travelling to {city} with {person} and {person}.
Professor {last} has agreed to speak at {org} on {onday}.
We have received your application for the post of {job} in {city}.
The invoice from {org} is due on {onday}.
Since the update, {product} no longer opens the {thing} that {person} sent me.
Please welcome {person}, who joins us from {org} {soon}.
Your {product} has been repaired and is ready at our shop in {city}.
Let me introduce {person}, our new {job} in {place}.
The delegation from {country} arrives on {onday}; {person} will meet them.
We should like to invite you to {city} on {onday}.
Your booking: {city} to {city}, {onday}, two adults.
The contract between {org} and {org} ends in {inyear}.
With reference to your letter of {onday}, I have informed {org}.
Would {onday} suit you, or shall I ask {first} to go?
Cc: {person}, {person}
From: {person}
Subject: {product} training in {city}
Subject: visit of {person} on {onday}
{onday}: call {person} about the {thing}
{onday}: {city}, {org}, 10:30
To do: renew {product}, write to {org}, ring {first}
Pick up {first} from {place}, 17:15
Notes: {person} wants the {thing} before {onday}.
Minutes: present were {person}, {person} and {person}.
{person} to check prices with {org}. Deadline: {onday}.
Idea: use {product} for the {thing}
Budget for {inyear}: {first} will send figures.
Dentist {soon}, then coffee with {first}
Buy: milk, eggs, {product} filters, a card for {first}
Agreed: {org} delivers on {onday}, we pay in {inyear}.
Interview with {person} ({org}), born in {city}, studied in {city}.
Passport runs out on {onday}!
Flat viewing on {street}, ask for Mrs {last}
Warranty: {product}, bought on {onday}, keep the receipt
Speakers: {person} ({country}), {person} ({country})
Attic: old {product}, {count} books, letters from {first}
Project started in {inyear} by {person}; {org} pays.
Ask {org} whether {product} runs on {product}.
Lent the {thing} to {first} {past}
Risk: {person} leaves {org} in {inyear}
Ferry from {city}, back {soon}
What a view over {place}! #nofilter
So proud of {first} for finishing the marathon in {city}!
Finally got my hands on the {product} :)
Anyone else having trouble with {product} {past}?
Throwback to {place}, {inyear}. Miss you {first}!
Thank you {org} for the free coffee {past}
{city} in the rain is still {city}.
New video: I took the {product} to {place}
Can't believe {person} answered my question on stage!!
Three days in {city}, two in {city}, then home to {place}.
{product} vs {product}, a thread
Watching {team} against {team} with {first} and a pizza
Who is going to {org} in {city} on {onday}?
{org} is hiring in {city}, ask {first} for details
Found a cat near {place}, grey, answers to nothing, please share
I've used my {product} since {inyear} and it still runs.
big news: {first} and {first} are getting married in {place} in {inyear}
Sunrise over {place}, no words
Day four of the trek through {place}, {first} has blisters
unpopular opinion: {product} was better in {inyear}
{person} live in {city} {soon}, two tickets for sale
First snow in {place} {past}!
Read "{place} by Night" by {person}, loved it
RIP {person}, you taught us so much.
We asked {org} and they said to wait until {onday}.
{person} is the {job} you call when nobody else dares.
[It was/It must have been] {person} who brought the {product} to {country}.
From {place} you can see as far as {place} on a clear day.
There are two daily flights from {city} to {place}.
Before joining {org}, {person} was a {job} in {city}.
The {product} costs {count} euros less in {country}.
{org}, {org} and {org} have offices in this street.
Neither {person} nor {person} replied.
The capital moved from {city} to {city} in {inyear}.
My grandmother left {country} in {inyear} with nothing but a suitcase.
{person} writes all her books on an old {product}.
The road to {place} was built by {org} in {inyear}.
He drove his {product} from {city} to {place} without a break.
In {place} people drink their tea with salt, {person} told us.
How do I connect the {product} to my {product}?
When was {org} founded, and by whom?
Where did {person} live in {inyear}?
Is {city} bigger than {city}?
{person} learnt to swim in {place}.
After {city} we took the slow train to {place}, where {person} was waiting.
{org} trains nurses in {country}, {country} and {country}.
Every summer {first} rents a hut in {place}.
The {thing} came from {org}, not from {org}.
[Sadly/Luckily], {person} could not come to {city} {past}.
{person}, {org}'s {job}, declined to comment.
The {product} was named after a hill in {place}.
It takes {count} minutes from {place} to the office of {org}.
On {onday} {person} sold the house in {place}.
Until {inyear} the letters of {person} were kept in {city}.
Next to {person} sat a {job} from {country} whose name I forget.
Some say the best bread is baked in {place}; {first} disagrees.
A letter dated {onday} shows that {person} knew of the plan.
I had {product} open all day and it never crashed.
Both {first} and the {job} from {org} speak Swahili.
You can pay by card at {org} since {inyear}.
My cousin {first} plays for {team}.
Her train left {city} at noon, and by nine she was in {place}.
The song was a hit in {country} in {inyear}.
The library of {org} will stay shut {soon}.
What does {first} think of the {product}?
{last}, {first}: see under {org}
[Sales of/Demand for] the {product} fell in {country} but rose in {country}.
The man who sold me the {product} was called {person}.
Weather in {place} {soon}: dry, light wind from the east
"{first}," she said, "bring the {thing} to {place}."
{person} said goodbye to the team at {org} {past}.
Which {job} at {org} signed the {thing}?
They met on a ferry to {place} and married in {city} in {inyear}.
"""

PLAIN = """
The meeting has been put off.
May I borrow your pen?
March on, we are nearly there.
She will mark the essays over the break.
I had a turkey sandwich and an apple.
The bank of the river was steep and muddy.
Please polish the brass before the guests come.
He broke the china cup and glued it back together.
There is little hope that the rain will stop.
They may leave early if the work is done.
The queen bee is larger than the others.
We saw a jaguar and two pumas at the zoo.
A rose by the gate was in full bloom.
i'll be there in ten minutes
ok no worries
Running a bit late, sorry!
Can someone open the window?
lol that was so funny
The doctor told him to rest.
Our teacher was angry because nobody had read the chapter.
The mayor refused to answer questions.
Our company is looking for an engineer with some experience.
The government wants to raise the tax on fuel.
Two men were hurt when a wall fell down.
The police have no suspects.
A spokeswoman for the airline said that all passengers were safe.
The university library opens at eight.
The president of the club thanked the members.
Prices rose by three per cent.
The hospital needs more nurses.
Turn left at the church and go on until you reach the lake.
The old bridge over the canal is closed to lorries.
My phone is dead, can I use yours?
The new laptop is faster but the keyboard is worse.
Which printer do you use?
Close the window, save the word, and send the file.
The windows need cleaning.
You need a good outlook to work from there.
The team won in extra time.
I like my coffee black.
He is a baker and his brother is a smith.
The cook added a pinch of salt.
What a day!
Good morning, everybody.
Thanks for letting me know.
Please find the figures attached.
Kind regards
Yours sincerely
To do: dishes, laundry, bins
Buy bread, cheese, lemons and washing powder
Budget still open, ask again.
Call back about the heating
Minutes: nobody objected.
Password must be changed!!
The key is under the third pot.
Happy birthday to you!
Best pizza ever #yum
So tired. Need coffee.
Does anyone else think the ending made no sense?
New hair, new me
cannot sleep, send help
The cat is asleep on the radiator again.
Who ate my yoghurt?
The bill came to forty pounds.
We walked for hours without meeting anyone.
It takes two to tango.
Every cloud has a silver lining.
I mean, who would do such a thing?
The orange juice is off.
She bought a shell necklace at the market.
The target was missed by a wide margin.
Our visa has been refused.
A swift flew low over the barn.
He is reading in the bath.
It would be nice to see you.
The lion sleeps by day and hunts by night.
There was an echo in the valley.
The comet can be seen without a telescope.
He got the job by pure luck.
A pebble got into my shoe.
This young man has a bright future.
The page was torn out of the book.
Nothing will happen before the summer is over.
He asked the judge for mercy.
The captain ordered everyone on deck.
The north wind was bitterly cold.
We live on the south side of the hill.
The bus to the airport leaves every half hour.
The station was built by a famous architect.
Go west along the coast.
The minister's aide left the room.
The Great Dane next door barks all night.
I ordered French fries and a Danish pastry.
They speak Portuguese and a little Arabic.
The German translation is longer than the Greek original.
Most Japanese restaurants serve green tea.
He cooks Italian food on Indian plates.
WARNING: do not open while hot
NO ENTRY
ATTENTION! WET FLOOR
FYI the lift is out of order again.
The CEO spoke to the press for an hour.
An SMS with a code will be sent to your phone.
Save it as a PDF and print it on A4 paper.
My IQ is lower before breakfast.
The TV is too loud.
The DNA test was negative.
Chapter 7 deals with fractions.
Room 12 is on the second floor.
Platform 9, coach 4, seat 61
Total: 48.50
The score was 3-1 at half time.
Mix 200 g of flour with 2 eggs.
It weighs 15 kilos.
Take one tablet twice a day.
Press Enter to continue.
Error 404: file not found
Click on Settings, then on Privacy.
Section 3 of the Contract applies.
The Committee shall meet four times.
All Rights Reserved.
Terms and Conditions apply.
Lost: brown leather wallet. Reward!
For Sale: bike, hardly used
Wanted: drummer
Breaking News
Sports Results
How To Grow Tomatoes On A Balcony
Why We Sleep Badly In The Heat
Ten Tips For A Quiet Mind
Mum and Dad send their love.
Grandma makes the best dumplings.
Dear Sir or Madam, I have a question about my order.
Dear colleagues, the kitchen will be painted.
Hi all, please be on time.
Hello there, long time no see!
Sir, you dropped your glove.
The Captain and the First Officer were asleep.
Our Head of Sales has left the company.
The Moon looks bigger near the horizon.
Spring came late and the swallows with it.
The winter coat is too warm.
Autumn leaves covered the path.
I'd rather fast than eat that.
The driver was fined for speeding.
Her patience is wearing thin.
The price of success is high.
The bell rang twice.
A stone hit the windscreen.
They grew oak, elm and willow along the lane.
A green field lay between the house and the marsh.
Cash or card?
Is it far?
Nobody knows.
Stop!
Yes, of course.
Maybe later.
"""

# --- topics: messages to a shop for bicycles and the outdoors ---

SHOP = {
    "item": """
rain jacket | down jacket | pair of hiking boots | pair of trail shoes | bike helmet | rucksack
daypack | two-man tent | sleeping bag | sleeping mat | camping stove | head torch | water bottle
pair of winter gloves | bike lock | floor pump | front light | saddle | pannier bag | handlebar bag
merino vest | climbing harness | dry bag | hammock | child seat | bike trailer | touring bike
folding bike | gravel bike | mountain bike | e-bike | kids' bike | balance bike | cargo bike
pair of snowshoes | sun hat | fleece | base layer | trail map | compass | cool box | cycling cap
bike rack | set of trekking poles | hip flask | bivvy bag | frying pan | dynamo lamp | bike computer
rope | puncture kit | travel towel | thermos flask | multi-tool | cycling jersey | rain cape | tarp
""",
    "wear": """
rain jacket | down jacket | hiking boot | trail shoe | winter glove | bike helmet | merino vest
climbing harness | climbing shoe | sandal | sun hat | fleece | base layer | cycling jersey | cape
cycling shoe | overshoe | rucksack | touring bike | gravel bike | kids' bike | mountain bike
ski sock | windproof vest | rain skirt | approach shoe | trekking shirt | city bike | wetsuit
""",
    "shoe": """
hiking boot | trail shoe | climbing shoe | sandal | cycling shoe | approach shoe | winter boot
""",
    "top": """
rain jacket | down jacket | fleece | base layer | cycling jersey | merino vest | windproof vest
trekking shirt | rain cape | softshell | winter coat | wetsuit
""",
    "bike": """
touring bike | gravel bike | mountain bike | city bike | e-bike | road bike | folding bike
""",
    "kind": "bike | bike | bike | outdoor | textile",
    "bike.mends": """
touring bike | folding bike | gravel bike | mountain bike | e-bike | bike trailer | cargo bike
city bike | commuter bike | tandem | road bike | kids' bike | hybrid | old racer | single-speed
""",
    "bike.fault": """
the rear brake squeals | the gears skip under load | the chain keeps coming off
a spoke has snapped
the front wheel wobbles | the tyre has a slow puncture | the headset creaks | the light flickers
the pedal has come loose | the brake lever is bent | the bottom bracket clicks | the fork leaks oil
the mudguard rattles | the saddle slips down | the bell and the stand have fallen off
the derailleur got bent in a fall | the hub is grinding | the rear axle has some play
""",
    "outdoor.mends": """
camping stove | head torch | sleeping mat | floor pump | GPS device | power bank
""",
    "outdoor.fault": """
the valve leaks air | it won't switch on | the hose has cracked | it hisses | a clip has broken
it stops after a few minutes | the casing is split | the seal has gone hard | it got wet inside
the button is stuck | it no longer holds pressure
""",
    "textile.mends": """
tent | rucksack | rain jacket | down jacket | sleeping bag | pannier bag | tarp
""",
    "textile.fault": """
the zip is stuck | the strap has torn off | a seam has come apart | there's a hole in the fabric
the buckle has cracked | the coating is peeling off | a spark burnt a hole in it | it lets water in
the drawstring has snapped | the stitching is coming undone | the dog chewed one corner of it
""",
    "size": "S | M | L | XL | 38 | 40 | 42 | 44 | XXL | medium | large | small | XS",
    "town": """
Leeds | Bristol | Cork | Aberdeen | Swansea | Norwich | Exeter | Dundee | Belfast | York
""",
    "time": """
on Monday | last week | ten days ago | on the 3rd | two weeks ago | on Friday night | in March
yesterday | at the weekend | just before Easter | a month ago | this morning | on 1# May
""",
    "order": """
order ##### | my order ##### | order no. ####-## | the order from last week | my last order
order W-##### | no. #####
""",
    "hello": """
Hi | Hello | Hello there | Hi team | Dear team | Good morning | Good afternoon | Hey | Dear all
Dear sir or madam | Hiya | Evening all | To whom it may concern | Morning
""",
    "bye": """
Thanks | Thank you | Many thanks | Cheers | Kind regards, Anil | Best, Ruth | Thanks in advance
Please get back to me soon | Regards, M. Osei | Looking forward to your answer | Ta
You can ring me on 0#### ###### | Let me know | Yours, Ines | Please advise
""",
    "small": """
sorry to bother you again | quick question | I couldn't find this on your website | love the shop
    btw
I'm a regular customer | it's my first order with you | I tried to ring but couldn't get through
I'm off on a trip soon, so it's a bit urgent | no rush | the chat didn't help me
I was in the shop in {town} the other day | we're planning a tour in the summer
this is about {order} | it's a birthday present | my partner is asking too
""",
    "frame": """
CORE | CORE | CORE | {hello}, CORE | {hello}, CORE {bye}. | CORE {bye}. | CORE {small}.
{small}: CORE | {hello}, {small}. CORE {bye}. | CORE {small}. {bye}. | {hello}! CORE
""",
}

MESSAGES = {
    "delivery": """
where is my {item}? I ordered it {time}.
[has {order} been sent yet/when will {order} be sent]?
the tracking [page/link] hasn't changed since {time}.
the courier says he left the {item} with a neighbour, but nobody here has it.
can you deliver to a [parcel locker/post office/work address] instead of my home?
how long does shipping to {town} take?
the parcel came {time}, but the {item} wasn't in it.
the box with the {item} arrived [crushed/soaking wet/torn open].
I [won't be/am not] at home on the day you want to bring the {item}, can it come later?
do you ship [to Norway/to the islands/abroad/to Switzerland]?
I was told the {item} would be here {time}; [nothing has come/still no sign of it].
please change the address for {order}, I've moved to {town}.
your driver rang the wrong bell and [went away/left again] with my {item}.
is next-day shipping possible for a {item}?
half of {order} arrived, when does the [rest/other box] follow?
the tracking number you sent me [isn't recognised/belongs to somebody else].
can I choose a [morning/evening] slot for the van that brings the {item}?
the app says "delivered" {time}, but [there is no parcel/my porch is empty].
do I have to sign for the {item} [when it comes/at the door]?
my {item} has been "out for delivery" since {time}.
could you leave the parcel [in the shed/behind the bins/with number 9] if I'm out?
the carrier [lost/can't find] the {item}, what happens now?
how big is the box that the {item} comes in, will it fit a parcel locker?
I need the {item} by the weekend, is express [worth it/available/any quicker]?
no van, no card through the door, no {item}. What is going on with {order}?
which carrier do you use for [bulky things like a/the] {item}?
the parcel was sent to my old address in {town}, can you call it back?
someone else's {item} was delivered to me by mistake.
will the {item} and the {item} come in one parcel or two?
is {order} stuck in customs? it left you {time}.
can I track [the van/my parcel] live?
the depot in {town} has had my {item} for a week and won't move it.
I got a text about a failed delivery attempt, but I was [in/home] all day.
do you bring the {item} up to the third floor or only to the kerb?
has my {item} left the warehouse yet? I ordered {time}.
the e-mail says two to three days, and it's been nine.
""",
    "returns": """
I'd like to send the {item} back, how do I do that?
can I return the {item} if I've [worn it once/opened the box/taken off the label]?
I sent the {item} back {time}, has it [arrived/reached you]?
please send me a return label for {order}.
how many days do I have to bring back a {item}?
the {item} isn't what I thought it would be. I want to give it back.
can I hand the {item} in at the shop in {town} although I bought it online?
I've changed my mind about the {item} and would like to cancel and send it back.
you sent me a {item} instead of a {item}; how do I return the wrong one?
the return label [won't print/has run out/is for another parcel].
who pays the postage if I send the {item} back?
it was a present and we already have a {item}. Can I give it back without a receipt?
is it possible to exchange the {item} for a {item}?
I threw away the box, can I still return the {item}?
my return of {order} was refused, [why is that/please explain].
the {item} turned up after our holiday and is no use now. I'd like to return it.
do you take back a {item} bought in the sale?
the courier didn't collect the {item} I want to return.
I returned two things and you only [noted/confirmed] one, the {item} is missing.
how should I pack a {item} for sending it back?
can I keep the {item} and only send back the {item}?
the colour of the {item} is [not as in the picture/far too bright], so back it goes. What do I
    need to fill in?
does the return period start when I order or when the {item} comes?
I want to swap the {item} for the same one in [blue/black/green].
the returns page says {order} [is not eligible/doesn't exist].
I bought a {item} {time} and it's not for me. Could I have a voucher for it?
could you confirm that you've got my returned {item}?
I put the wrong {item} in the return parcel, can you send it to me again?
where do I find the returns form? there was none in the box with the {item}.
can my brother bring back the {item} for me?
I'm outside the thirty days by {time}, any chance you still take the {item} back?
sending back the {item} as agreed on the phone, is a note with the order number enough?
is returning a {item} free of charge?
I don't need the {item} any more, unused, tags on. How do I return it?
we hired and then bought the {item}; does the right to return it still hold?
drop-off for returns in {town}, where is that exactly?
""",
    "sizing": """
I'm 1.[6/7/8]# m tall, which frame size of the {bike} do I need?
does the {wear} run [small/large/narrow/wide]?
I take a {size} in [most brands/other makes], should I go for {size} in the {wear}?
I'm between {size} and {size}. Which would you pick for the {wear}?
is there a size chart for the {wear}?
the {wear} in {size} [pinches/is too tight/is far too loose], would {size} be right?
how long are the sleeves of the {top} in {size}?
what's the [waist/chest/shoulder/back] measurement of the {top} in {size}?
my daughter is eight and 1.2# m, what size of {wear} would fit her?
do I need to leave room for thick socks in the {shoe}?
is the women's cut of the {top} [shorter/slimmer] than the men's?
will the {top} stretch with wear, or should I size up?
are the sizes of the {shoe} UK or EU?
I have a wide foot. Is this {shoe} for me?
how do I measure my head for a helmet? it's about 5# cm, I think.
does {size} in this year's {wear} fit the same as last year's?
I want to wear a fleece under the {top}, is {size} roomy enough?
the {top} feels [a touch short/long] at the back, is that how it should fit?
inseam 8# cm, height 1.8# m: {bike} in {size} or {size}?
my hands measure 2# cm round, which glove size is that?
which rucksack size suits a short back? mine is 4# cm.
I'm pregnant and need a {top} for now, how many sizes up?
is the {top} in {size} long enough for someone of 1.9# m?
what saddle width fits sit bones of 1[1/2/3]# mm?
is your {shoe} unisex, and what is {size} in women's sizes?
how tight should a {top} [be/sit]?
can the {top} be shortened or taken in? I'm on the short side.
kids grow, so would {size} instead of {size} be daft for the {wear}?
your chart says {size}, the customers' comments say one up. Who is right about the {wear}?
my old {wear} from you was {size}; is the new model the same length?
does the {top} in {size} fit round a [7#/8#] cm waist?
toes touch the front of the {shoe} going downhill. Half a size up?
is the fit of the {top} athletic or relaxed? I've got broad shoulders.
long legs, short body: which {top} would you suggest, {size}?
the helmet slides over my eyes in {size}, do you think {size} would sit better?
could you measure the {top} in {size} across the chest for me?
""",
    "repair": """
{fault} on my {mends}. Can you fix it?
how much would it cost to mend a {mends}? {fault}.
do you service a {mends} that I bought elsewhere?
I brought in my {mends} {time}, is it ready?
my {mends} needs [a service/some work/looking at]: {fault}.
can I get an appointment in your workshop in {town}?
{fault}, is that covered by the guarantee?
where can I get a spare part for my {mends}? {fault}.
is it worth mending the {mends} or is it past it? {fault}.
{fault} although your mechanic had it {time}.
how long does the workshop need for a {mends}?
what does a full service of a {mends} cost?
{fault}. Is there a way to fix this myself?
could somebody show me how to patch a {mends}?
after a crash I'd like my [helmet/carbon frame/bike/fork] checked for cracks.
[the hub/my e-bike motor/the crank] has made a [grinding/clicking/rattling] noise since {time}.
do you re-waterproof [a rain jacket/a tent/an old anorak]?
you mended my {mends} and now {fault}.
can you fit [new tyres/a new chain/disc brakes/a dynamo] to my [old racer/tourer/city bike]?
{fault}. I'm in the middle of a tour and need help fast, do you do repairs while one waits?
the firmware of my e-bike needs an update, does your workshop do that?
my {mends} is [only a year/not even six months] old and {fault}.
please give me a quote: {fault}.
can I drop my {mends} off on a Saturday to have it mended?
do you true wheels? mine rubs on the left.
your workshop said they'd ring when the {mends} was done, that was {time}.
which glue do you recommend for a torn [tent/inner tube/mat/jacket]?
I lost a screw of my {mends}, do you have single ones so that I can put it right?
{fault}, and I've tried everything in the manual.
can the zip of a [tent/rucksack/sleeping bag/down jacket] be replaced?
does the repair of a {mends} come with a guarantee?
do you lend bikes while mine is in the workshop?
brakes need bleeding, gears need adjusting, when can I come round with the [bike/tandem/tourer]?
can you take a look at my {mends} before our tour? {fault}.
is there a repair kit for the {mends}?
the mechanic in {town} told me the {mends} can't be saved. Second opinion?
""",
    "payment": """
my card was [charged/debited] twice for {order}.
can I pay [by invoice/in instalments/by bank transfer/with PayPal/in cash]?
the payment page [hangs/shows an error/throws me out] when I type in my card number.
I need an invoice [with VAT/made out to my firm] for the {item}.
my voucher code [isn't accepted/has no effect] at the checkout.
you took £## for the {item}, but the page said £##.
I still haven't got my money back for {order}.
when will my account be debited for the {item}?
I paid for {order} {time} and got a reminder today.
is there a [student/club/members'] discount on the {item}?
do you take [gift cards/cycle-to-work vouchers/foreign cards]?
why was my card declined? There's enough money in the account.
the refund for the {item} is £## short.
can you split the bill for the {item} between two cards?
I forgot to use my discount code on {order}, can you deduct it now?
which bank account do I send the money for {order} to?
your invoice for the {item} has the wrong [name/address/date] on it.
how does paying in instalments work for a {item} of £###?
my bank asks for a code that never comes when I try to pay.
the receipt for the {item} got lost, could you e-mail me a copy?
I was charged [postage/a fee/£#] although the page said free.
is it safe to store my card details with you?
I see a payment of £## to your shop {time} that I know nothing about.
please cancel the direct debit, I've paid {order} at the till.
does the price of the {item} include tax?
can I change the way I pay for {order}? I'd like to use another card.
the gift card has £## left on it, but the till says zero.
the price of the {item} dropped {time}. Do you refund the difference?
is a deposit needed for the {item}, and how much?
I transferred the money {time}, but {order} still says "unpaid".
do you offer [leasing/financing] for a {item}?
what's the surcharge for paying by credit card?
the instalment for the {item} was taken on the wrong day.
I can't find the bill for {order} in my account and need it for my taxes.
you've billed me for two of the {item}, I only bought one. Please put the charge right.
will I be billed at once if I pre-order a {item}?
""",
    "stock": """
when will the {item} be back in stock?
do you have the {wear} in {size} in the shop in {town}?
is the {item} [still available/sold out for good]?
the website says three left, the shop in {town} says none. Do you have a {item} or not?
are you going to [sell/stock/carry] the {item} in [green/red/grey] again?
can I reserve a {item} and pick it up on Saturday?
will you get more of the {item} before [summer/Christmas/the holidays]?
could you let me know when the {item} is in again?
is there a waiting list for the {item}?
do you still have last year's {item}?
which shops have the {item} on the shelf right now?
I've been waiting for the {wear} in {size} to come in since {time}. Any news?
do you [sell/keep] a [second-hand/lighter/cheaper] {item}?
we need twelve of the {item} for a school trip, do you have that many?
is the {item} on display in {town}? I'd like to see one before I buy.
do you have an alternative to the {item}, since it's sold out?
the {item} has vanished from your website. Has it been discontinued?
can the shop in {town} order a {item} in for me?
has the new {item} come in yet?
every time I look, {size} is gone. When do you refill the {wear}?
is the {item} a limited edition or will there be more?
do you stock spare batteries for [the head torch/the front light/this e-bike/the bike computer]?
I'm looking for a {wear} in {size}, any colour, anywhere. Got one?
will the {item} be part of your range next year?
the notification said the {item} was back, but I can't put it in the basket.
do you carry any other brands of {item}?
would you put one {item} aside for me until Friday?
what's the expected date for the next batch of the {item}?
is it true that you're out of the {item} until autumn?
is there a {item} left from the sale?
does any branch near {town} have the {item}?
I can't find the {item} anywhere on your site, do you have it at all?
you showed a {item} in the newsletter {time}. Where can I get it?
are pre-orders open for the new {item}?
is the ex-display {item} in {town} still there?
is the {item} only sold out online or in the shops as well?
""",
}

if __name__ == "__main__":
    write(DATA)
