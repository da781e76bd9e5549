"""The vocabulary that the generators draw from. Owns word lists only: no grammar, no chance."""

NAMES = tuple(
    """
    Ada Alan Amira Anna Arun Ben Carla Chen Clara Daniel David Elena Emil Erik Eva Farid Felix Fiona
    George Grace Hana Hugo Ines Ivan Jana Joan John Jonas Karin Kofi Laura Leo Lena Lucas Marco Maria
    Martin Maya Mira Nadia Nils Nina Noah Olga Omar Oscar Paul Petra Ravi Rosa Ruth Samuel Sara Simon
    Sofia Tara Theo Tomas Uma Vera Victor Wanda Yara Zoe
    """.split()
)

PLACES = tuple(
    """
    Aldbury Brackwell Carrow Dunmere Eastham Fallow Glenby Harwick Irby Kelton Lowfield Marsden
    Northby Oakham Pendle Quarrow Redhill Stanton Thornby Upwell Valemouth Westow Yarrow Zelby
    """.split()
)

PEOPLE = tuple(
    """
    baker farmer miller teacher sailor painter doctor gardener carpenter clerk captain child merchant
    neighbour shepherd student weaver widow soldier singer traveller builder fisherman librarian cook
    """.split()
)

THINGS = tuple(
    """
    apple basket bell blanket boat book bottle bowl box bread bridge broom bucket candle cart chair
    clock coat coin crown cup curtain desk door drum engine fence flag flute gate glass hammer hat
    horse key kettle knife ladder lamp letter lock machine map medal mirror needle net oar painting
    paper pen pipe plate plough pot purse ring rope sack saddle sail saw scarf shelf ship shoe spade
    spoon stone stool stove sword table tent tool torch towel tray trunk umbrella violin wagon watch
    wheel whistle window wire
    """.split()
)

SITES = tuple(
    """
    barn bakery bay beach castle cellar church cottage courtyard field forest garden harbour hill
    house inn kitchen lake library market meadow mill mountain orchard palace park path pier river
    road school shop square stable station street theatre tower town valley village well workshop
    """.split()
)

QUALITIES = tuple(
    """
    ancient black blue brave bright broken brown calm careful cheap clean clever cold copper dark dry
    dusty early empty famous fine foreign fresh gentle golden good green grey happy heavy hollow honest
    hungry iron kind large late lazy light little lonely long loud low narrow new noble old open
    painted pale patient plain poor proud quiet rare red rich round rough sad sharp short silent silver
    simple slow small smooth soft solid steady steep straight strange strong sweet tall thin tired
    tiny warm weak wet white wide wild wise wooden worn yellow young
    """.split()
)

DEEDS = tuple(
    """
    admired borrowed bought built carried cleaned counted dropped drew examined fetched filled finished
    forgot found gave hid held kept lent lifted lost made measured mended moved noticed offered opened
    ordered painted packed polished promised pulled pushed received remembered repaired returned saved
    sold stole studied took touched turned used wanted washed weighed wrapped
    """.split()
)

MOTIONS = tuple(
    """
    arrived climbed crept drove fled hurried marched moved ran returned rode rowed sailed stepped
    travelled walked wandered
    """.split()
)

MANNERS = tuple(
    """
    again alone already always carefully early easily finally gladly gently hardly late loudly never
    often once perhaps quickly quietly rarely sadly slowly softly soon still suddenly twice usually well
    """.split()
)

TIMES = (
    "after dark",
    "after the storm",
    "all day",
    "at dawn",
    "at midnight",
    "at noon",
    "before breakfast",
    "before sunrise",
    "during the night",
    "during the winter",
    "every morning",
    "for an hour",
    "for many years",
    "in spring",
    "in the afternoon",
    "in the evening",
    "last summer",
    "on market day",
    "that evening",
    "the next day",
    "until sunset",
    "when the rain stopped",
    "while the others slept",
)

JOINERS = tuple("and but because so although while".split())

CODE_NOUNS = tuple(
    """
    account batch block buffer byte cache cell channel client cluster code column config counter cursor
    device disk driver entry event field file filter format frame graph group handle header host index
    input item job kernel key label lane layer limit line link list lock log message method model module
    name node object offset option order output packet page parser path plan pool port process profile
    query queue range record region report request response result role row rule runner schema script
    segment sensor server service session shard signal socket source stack state status stream string
    table tag target task tensor thread token trace tree type unit update user value vector version
    view window worker
    """.split()
)

CODE_VERBS = tuple(
    """
    accept add append apply attach bind build cancel check clear close commit compare connect copy create
    delete deny detach drop encode expand export fetch find flush get import insert join load lock log
    match merge move open parse poll prepare print pull push put read refresh reject release remove
    rename render reset resolve restart restore resume retry run save scan seek send set skip sort split
    start stop store submit sync test track update upload validate verify wait watch write
    """.split()
)

MONTHS = tuple("January February March April May June July August September October November December".split())

WEEKDAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
