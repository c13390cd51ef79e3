/** Words for random names: a mood, and someone who worked at sea, on maps, on the sky or on machines. */
export const adjectives: readonly string[] =
  `airy able amber ample apt ardent arctic ashen astute avid balmy beaming blithe bold bonny boreal brave breezy bright brisk
broad bronze buoyant calm candid careful cedar cheery chief civil clear clever coastal cobalt constant copper coral cosy crisp
curious dapper daring deft dewy diligent distant drifting dusky eager early earnest easterly easy ebony electric elfin eloquent
ember emerald equal even exact fabled fair faithful famous fearless festive fervent fine firm fleet fluent fond frank free fresh
frosty gallant gentle giddy gilded glad gleaming golden good graceful grand grateful hale handy happy hardy hearty helpful hopeful
humble ideal indigo ivory jaunty jolly jovial joyful keen kind lasting laughing level light limber lively loyal lucid lucky lunar
magnetic maple marine mellow merry mighty mild mindful misty modest mossy musical nautical neat nifty nimble noble northern oaken
open opal patient peaceful pearly placid plucky polar polite prompt proud quaint quick quiet radiant rapid ready rosy ruby rugged
russet sable salty sandy sanguine scenic serene sharp shining silent silver sincere sleek smart smiling snug sober solar solid
southern spirited spry stable starry steady stellar still stormy stout sturdy sunny sunlit supple sure swift tawny tender thrifty
tidal tidy timely tranquil trim true trusty upbeat valiant vast velvet verdant vibrant vivid warm watchful wavy western wise
witty woolly worthy young zealous zesty`.split(/\s+/);

export const surnames: readonly string[] =
  `amundsen anning apgar aristarchus armstrong atwood babbage banneker banks baret barents bartlett beaufort behaim bering bessel
bird bligh bode borda bougainville bowditch brahe brunel burnell cabot cabral cannon carteret cartier cassini cavendish celsius
champlain chappe charcot cochrane columb cook cousteau crozier cunitz dampier darwin davis dias diesel digges drake dufour earle
eratosthenes ericsson euler faraday fermat fitzroy flamsteed flinders foucault franklin fresnel frobisher fulton galilei gama
gauss gerritsz gilbert godfrey grace greely gunter hadley halley harriot harrison heezen henson herschel heyerdahl hipparchus
hondius hooke hudson humboldt huygens ibnbattuta idrisi jansky janszoon johnson joule kelvin kepler kotzebue kraus lamarr laperouse
laplace leavitt lemaire lovelace lovell mackenzie magellan magnus malaspina marconi maskelyne maury mayer mcclintock mendana
mercator messier mitchell molyneux morse munk nansen napier nares nearchus newcomen nobile nordenskjold norwood nunes oersted
ortelius palander papin park parry parsons pascal pasteur peary pedersen piccard pinzon polo ptolemy pytheas quadra quiros raleigh
ramsden rennell ressel ricci richer riquet rittenhouse ross rossby rumsey sabine scoresby selkirk shackleton shoemaker smeaton
smith snellius solander somerville spilhaus stephenson stevin sverdrup swan tasman telford tereshkova tharp thales thevenot
torres torricelli tupaia turing urdaneta vancouver varenius vespucci vikelas volta waghenaer wallis watt weddell wegener wilkes
wilkins willoughby worsley wright xuxiake yonge zacuto zeno zhenghe`.split(/\s+/);
