"""What clinicians write for concepts, where the vocabularies list no such synonym: a line is a name and wordings.

Written from clinical usage and textbooks, by hand; no line was taken from an annotated text, and none is one of the
paraphrases that the generator of synthetic conversations uses, so that these measure the extractor. A
wording that HPO or MeSH has for another phenotype keeps that meaning. One with a full stop counts only where
no other word of weight follows: *he does not speak*, not *he does not speak English*.
"""

WORDINGS = """
Abdominal distention: bloated
Abdominal pain: tummy pain; belly ache; tummy ache; stomach ache
Abnormal blistering of the skin: skin blistering
Abnormal cerebral white matter morphology: white matter signal abnormalities; white matter signal change
Abnormal facial shape: facial dysmorphia; unusual facies; unusual facial features; craniofacial dysmorphism; peculiar
    face
Abnormal temper tantrums: temper tantrums; tantrums; temper outbursts
Abnormality of the liver: liver disease; hepatopathy
Absence of secondary sex characteristics: absent secondary sexual characteristics; lack of secondary sexual
    characteristics
Absent speech: non-verbal; nonverbal; no speech.; never spoke; never acquired speech; has never spoken; did not
    develop speech; no expressive speech; does not speak.; does not talk.; no verbal language; not talking.; no words.
Accelerated skeletal maturation: accelerated bone age
Acholic stools: pale stools; white stools
Adducted thumb: cortical thumbs
Aggressive behavior: aggressive outbursts
Agitation: agitated
Amenorrhea: missed periods; absent periods; absence of menses
Amoxicillin and Clavulanic Acid: Augmentin; co-amoxiclav
Angina pectoris: angina
Anosmia: inability to smell; no sense of smell; absent sense of smell
Anterior creases of earlobe: ear lobe creases; ear creases
Anxiety: anxious; anxious behavior; anxiousness
Apnea: apneic; apneic spells; apnoeic episodes
Arrhythmia: heart rhythm disturbances
Atrial septal defect: secundum ASD; ASD secundum
Atrioventricular canal defect: AV septal defect; AV canal; AV canal defect
Attenuation of retinal blood vessels: attenuated retinal vessels; retinal arteriolar attenuation; narrowed retinal
    vessels; attenuated retinal arterioles; arteriolar attenuation
Autism: autistic
Autistic behavior: autistic features; autistic traits; autistic-like behavior; features of autism
Azithromycin: Z-Pak; Zpak
Babinski sign: positive Babinski; upgoing plantars; extensor plantars
Basal ganglia calcification: calcified basal ganglia
Bilateral tonic-clonic seizure: GTCS; GTC seizures; grand mal
Bleeding with minor or no trauma: spontaneous bleeding
Blind vagina: blind-ending vagina
Blindness: no light perception.
Bone marrow hypocellularity: hypocellular marrow; aplastic marrow; bone marrow aplasia
Bone spicule pigmentation of the retina: bone spicule pigmentation; bone spicules; bone spicule pigment
Bowing of the legs: bowing of the lower limbs; bowed lower limbs
Brain atrophy: brain volume loss; reduced brain volume
Bruising susceptibility: easily bruised
Bulbous nose: bulbous tip
Calf muscle hypertrophy: hypertrophic calves; enlarged calves; hypertrophied calves; prominent calves; hypertrophy of
    the calves; calf pseudohypertrophy
Cephalexin: Keflex
Cerebellar atrophy: cerebellar volume loss
Cerebral atrophy: cerebral volume loss; reduced cerebral volume
Cherry red spot of the macula: cherry-red spot
Clinodactyly of the 5th finger: clinodactyly of the fifth fingers; incurved fifth fingers; incurved little fingers;
    clinodactyly V
Clumsiness: clumsy gait; clumsy movements
CNS hypomyelination: hypomyelination
Coarse facial features: coarse features
Cognitive impairment: cognitively impaired
Craniosynostosis: premature fusion of sutures
Cryptorchidism: undescended testicle; maldescended testes; non-palpable testes
Cyanosis: cyanotic; cyanosed
Decreased body weight: weight below the third percentile; weight below the 3rd centile
Decreased fetal movement: poor fetal movements; weak fetal movements
Delayed ability to walk: late walking; walked late
Delayed CNS myelination: immature myelination; poor myelination
Delayed puberty: absent puberty; absence of puberty
Delayed speech and language development: no meaningful words; delayed language milestones; late talking; limited
    vocabulary; late speech; delayed first words
Depressed nasal bridge: sunken nasal bridge; depressed root of the nose
Depression: depressed mood; low mood
Developmental regression: loss of previously acquired skills; loss of developmental milestones; regression of
    milestones; neuroregression; regression of development; lost milestones; loss of skills; developmental
    deterioration; lost skills;
    developmentally regressed; regressed in speech; regressed in development
Diabetes mellitus: diabetes
Diarrhea: loose motions; watery stools
Difficulty climbing stairs: unable to climb stairs; cannot climb stairs; trouble climbing stairs
Distal amyotrophy: distal wasting
Distal muscle weakness: distal weakness
Downslanted palpebral fissures: antimongoloid slant; downslanting eyes
Downturned corners of mouth: turned down corners of the mouth; turned-down mouth corners
Dysarthria: indistinct speech; unclear speech
Dysphagia: chokes on liquids
Dyspnea: breathless
Dystonia: dystonic posturing; dystonic posture; dystonic movements
Dysuria: painful urination; burning urination; burning on urination; pain on urination
Easy fatigability: fatigability
EEG with burst suppression: burst suppression; suppression-burst pattern
EEG with generalized slow activity: diffuse slowing.; generalized slowing.
Elevated circulating C-reactive protein concentration: elevated CRP; raised CRP; high CRP
Elevated circulating creatine kinase concentration: elevated CK; raised CK; high CK; raised CPK; elevated serum CK; CK
    elevation; elevated muscle enzymes; hyperCKemia
Elevated circulating hepatic transaminase concentration: elevated liver enzymes; raised liver enzymes; deranged liver
    enzymes; deranged liver function tests; elevated transaminases; elevated AST; elevated ALT; transaminitis;
    hypertransaminasemia
Elevated erythrocyte sedimentation rate: elevated ESR; raised ESR; high ESR
Eosinophilia: elevated eosinophil count; high eosinophil count; elevated eosinophils
Exaggerated startle response: startles easily; excessive startle; increased startle
Excessive daytime somnolence: daytime sleepiness; daytime somnolence
Extremities cold to touch: cold hands; cold extremities; cold feet
Failure to thrive: poor thriving; faltering growth; failure to gain weight; not gaining weight; slow weight gain;
    insufficient weight gain; inadequate weight gain; failed to thrive; suboptimal weight gain
Falls: recurrent falls; repeated falls
Feeding difficulties: difficulty feeding; difficulties with feeding; feeding intolerance; reluctance to feed; poor
    feeder; poor oral intake
Femoral bowing: bowed femora
Fever: febrile; pyrexial; high temperature
Finger syndactyly: fused fingers
First degree atrioventricular block: first-degree AV block; first degree heart block
Flushing: flushed
Frequent falls: fell frequently; tendency to fall
Frontal bossing: prominent frontal bones; bossing of the forehead
Gait disturbance: trouble walking; gait abnormality; abnormal gait; walking difficulties; difficulty walking
Gastrostomy tube feeding in infancy: PEG feeding; G-tube feeding
Generalized morning stiffness: morning stiffness
Generalized muscle weakness: general weakness
Genu varum: bowlegs
Global developmental delay: developmentally delayed; global delay; delayed developmental milestones; delay of milestones
Gowers sign: positive Gowers; Gowers maneuver.; Gowers manoeuvre.
Hand apraxia: loss of purposeful hand use; loss of hand function; lost purposeful hand use; loss of hand skills; loss of
    purposeful hand skills
Hand clenching: clenched fists; clenched fingers
Hand muscle atrophy: wasting of the small hand muscles; thenar wasting
Handgrip myotonia: difficulty releasing grip; delayed grip release
Hearing impairment: decreased hearing; poor hearing; difficulty hearing; trouble hearing; deaf; hard of hearing; hearing
    difficulties; deafness
Heart murmur: cardiac murmur; systolic murmur
Hematochezia: blood in stool; bloody stool
Hemiparesis: left-sided weakness; right-sided weakness; hemiparetic
Hemoptysis: coughing up blood; coughed up blood
Hepatomegaly: palpable liver; liver enlargement; hepatic enlargement
High palate: highly arched palate; arched palate
Hoarse voice: hoarse
Hyperactivity: hyperactive behaviour; hyperactive behavior; overactivity
Hyperglycemia: elevated blood glucose; elevated glucose; elevated blood sugar; raised blood glucose
Hyperhomocystinemia: elevated homocysteine; raised homocysteine
Hyperreflexia: hyperactive reflexes; hyperactive tendon reflexes; brisk tendon reflexes; exaggerated tendon reflexes;
    exaggerated reflexes
Hypersomnia: hypersomnolence
Hypoesthesia: diminished sensation; loss of sensation; decreased sensation; sensory loss
Hypoglycemia: low blood glucose
Hypoplasia of the corpus callosum: callosal hypoplasia
Hyporeflexia: diminished tendon reflexes; sluggish reflexes; depressed reflexes; weak reflexes; hypoactive reflexes
Hypothyroidism: hypothyroid
Hypotonia: decreased muscle tone; reduced muscle tone; poor muscle tone; decreased tone; floppy baby; floppy infant;
    floppiness; low tone
Hypoxemia: oxygen desaturation; low oxygen saturation; hypoxic; desaturations
Impaired executive functioning: executive dysfunction; dysexecutive syndrome; executive deficits
Impaired pain sensation: reduced pain sensitivity; decreased pain sensitivity; high pain threshold
Inability to walk: non-ambulatory; nonambulant; non-ambulant; never walked; not able to walk independently; does not
    walk.; never able to walk; not walking.
Inappropriate laughter: unprovoked laughter; unmotivated laughter
Increased circulating lactate concentration: raised lactate; high lactate; elevated blood lactate; hyperlactatemia
Increased mean corpuscular volume: macrocytosis
Increased nuchal translucency: thickened nuchal translucency
Intellectual disability: learning difficulties; mentally handicapped; mental handicap; intellectually disabled;
    intellectual deficiency
Intellectual disability, mild: mild ID.; mild learning disability; mildly retarded.; mild learning difficulties
Intellectual disability, moderate: moderate ID.; moderate learning disability; moderate learning difficulties;
    moderately retarded.
Intellectual disability, profound: profound ID.; profound learning disability
Intellectual disability, severe: severe learning disability; severe learning difficulties; severe ID.;
    severely retarded.
Intrauterine growth retardation: fetal growth restriction; intrauterine growth restriction
Irritability: irritable
Jaundice: jaundiced; icteric
Joint hypermobility: hypermobile joints; ligamentous laxity; hyperextensible joints; hyperlaxity; hypermobility.; loose
    joints
Large fontanelles: wide open fontanelle
Large for gestational age: large for dates
Left ventricular hypertrophy: LV hypertrophy
Left ventricular systolic dysfunction: poor left ventricular function; reduced left ventricular function; poor systolic
    function; decreased left ventricular function
Leukocytosis: elevated white blood cell count; high white blood cell count; elevated WBC; elevated leukocytes
Leukopenia: low white blood cell count; low WBC
Levothyroxine: Synthroid
Limb hypertonia: increased tone in the limbs; increased limb tone
Limited elbow extension: incomplete elbow extension
Long eyelashes: long lashes
Loss of ambulation: lost ambulation; loss of independent walking; became wheelchair-bound; wheelchair bound;
    wheelchair-dependent; lost the ability to walk; wheelchair user; lost independent ambulation
Loss of speech: lost speech; lost words; loss of language
Low-set ears: low set pinnae; low-lying ears; low implanted ears; low implantation of the ears
Lymphadenopathy: lymph node enlargement; lymph node swelling; swollen lymph nodes; enlarged lymph glands; swollen glands
Lymphopenia: low lymphocyte count
Macrocephaly: head circumference above the 97th percentile
Malnutrition: malnourished
Melena: black stools; tarry stools; black tarry stools
Mental deterioration: intellectual decline; cognitive deterioration; mental decline
Microcephaly: head circumference below the third percentile
Microphthalmia: small eyes; small globes
Motor delay: delayed motor development; delayed motor milestones; slow motor development
Motor stereotypy: stereotypies; stereotypic movements; stereotyped movements; stereotypic behavior; hand stereotypies
Muscle weakness: weakness of muscles
Mutism: mute child; mute patient; became mute; he mute.; she mute.; patient mute.
Myalgia: body aches; muscle aches
Nausea: nauseated
Neonatal hypotonia: hypotonia at birth; hypotonic at birth; floppy at birth
Neutropenia: low neutrophils
Neutrophilia: elevated neutrophils; high neutrophil count
Nystagmus: nystagmoid movements; jerking eye movements; wandering eye movements; roving eye movements
Obesity: obese
Omphalocele: exomphalos
Optic disc pallor: pale optic nerve; optic nerve pallor; pale optic papilla; pale discs
Osteopenia: bone demineralization; osteopenic bones
Overlapping fingers: overriding fingers; overlapping digits
Pallor: appeared pale; looked pale; looks pale; pale skin; pale complexion; pallid; pale conjunctivae;
    she pale.; he pale.; patient pale.; infant pale.; baby pale.; child pale.
Paresthesia: pins and needles
Patent ductus arteriosus: persistent ductus arteriosus; open ductus arteriosus
Patent foramen ovale: persistent foramen ovale
Pectus carinatum: pigeon breast
Pectus excavatum: sunken chest
Pedal edema: swelling of the feet; leg swelling; swelling of the legs
Persistence of hemoglobin F: elevated HbF; elevated fetal hemoglobin; raised HbF
Pes cavus: high arches
Pes planus: pes planovalgus; planovalgus feet
Phenytoin: Dilantin
Photophobia: light sensitivity
Polyphagia: excessive appetite; insatiable appetite
Poor head control: no head control; lack of head control
Poor suck: weak suck; weak sucking; poor sucking; sucking difficulties
Poor visual behavior for age: no visual fixation; poor visual fixation; does not fix and follow; lack of visual
    fixation; absent visual tracking
Posterior helix pit: posterior helical pits; helical pits
Postural instability: loss of balance; poor balance; balance problems; balance difficulties; impaired balance
Premature birth: prematurity; born prematurely; preterm birth; preterm infant; premature infant; preterm delivery; born
    preterm
Primary amenorrhea: lack of menstruation; absence of menarche; never menstruated; no menarche
Progeroid facial appearance: progeroid appearance
Prolonged neonatal jaundice: prolonged jaundice
Prolonged partial thromboplastin time: prolonged aPTT; prolonged PTT
Prolonged QT interval: QT prolongation; prolonged QT
Prolonged QTc interval: prolonged QTc; QTc prolongation
Prominent fingertip pads: fetal finger pads; fetal fingertip pads; fetal pads
Proximal muscle weakness: proximal weakness; proximal limb weakness
Pruritus: pruritic; itchy
Ptosis: droopy eyelids; drooping of the eyelids; eyelid drooping
Recurrent ear infections: frequent ear infections; repeated ear infections
Recurrent fractures: multiple fractures; frequent fractures; repeated fractures
Recurrent hand flapping: hand flapping; flapping of the hands
Recurrent respiratory infections: frequent respiratory infections; repeated chest infections
Recurrent urinary tract infections: recurrent UTI; recurrent UTIs; repeated UTIs; frequent UTIs
Red eye: redness of the eyes; eye redness; ocular redness
Reduced bone mineral density: low bone mass; reduced bone density
Reduced consciousness: altered consciousness; impaired consciousness; decreased consciousness; altered level of
    consciousness
Reduced eye contact: avoids eye contact; lack of eye contact; no eye contact.; limited eye contact
Reduced subcutaneous adipose tissue: loss of subcutaneous fat; little subcutaneous fat; paucity of subcutaneous fat
Renal insufficiency: reduced renal function
Respiratory distress: respiratory difficulty; laboured breathing; grunting
Respiratory tract infection: chest infection
Rhizomelia: short proximal limbs
Scaling skin: scaling of the scalp; scaling rash; scaling plaques; scaling erythema; scaling lesions
Scissor gait: scissoring of the legs; scissoring
Second degree atrioventricular block: second-degree AV block; second degree heart block
Seizure: seizure disorder; intractable epilepsy; refractory epilepsy; drug-resistant epilepsy; convulsing; seizing;
    epileptic fits; convulsive fits; convulsive episodes
Self-injurious behavior: self-harm
Sensorimotor neuropathy: sensorimotor polyneuropathy; sensory-motor neuropathy
Sensorineural hearing impairment: nerve deafness; perceptive deafness; neurosensory hearing loss
Short attention span: poor attention; inattention; difficulty concentrating
Short stature: short for age.; small for her age; small for his age; reduced height.
Skin rash: rash; erythematous rash
Sleep abnormality: sleep disturbance; sleep problems; poor sleep; disturbed sleep; difficulty sleeping; night waking;
    frequent night awakenings
Small for gestational age: small for dates
Smooth philtrum: absent philtrum
Sneeze: sneezing
Sparse axillary hair: scant axillary hair
Sparse eyebrow: scanty eyebrows
Sparse hair: scanty hair; scant hair
Sparse pubic hair: scant pubic hair; scanty pubic hair
Spasticity: spastic; spastic tone
Splenomegaly: palpable spleen
ST segment elevation: ST elevation
Status epilepticus: prolonged seizures; convulsive status
Stillbirth: stillborn
Strabismus: crossed eyes
Striae distensae: abdominal striae; purple striae; skin striae; striae on the thighs; striae on the back
Sudden death: died suddenly; sudden unexpected death
Suicidal ideation: suicidal; suicidal intent
Suicide behaviors: suicide attempt; attempted suicide
Syncope: fainted; fainting spells; fainting episodes; blackouts.
Systemic lupus erythematosus: lupus
Tachycardia: high heart rate; fast pulse
Tachypnea: fast breathing; rapid respiration
Tall stature: tall for age
Thrombocytopenia: decreased platelets; reduced platelets; low thrombocytes
Tremor: tremulous
Type I diabetes mellitus: DM type 1; type 1 DM; DM type I; type I DM
Type II diabetes mellitus: DM type 2; type 2 DM; DM type II; type II DM
Undetectable electroretinogram: extinguished ERG; non-recordable ERG; unrecordable ERG; flat ERG; non-recordable
    electroretinogram
Upslanted palpebral fissure: up-slanting palpebral fissures; upslanting eyes
Urinary incontinence: incontinent of urine
Ventriculomegaly: ventricular enlargement; prominent ventricles; ventricular dilatation; enlarged ventricular system;
    prominent ventricular system
Vertigo: dizzy
Vomiting: vomited; emesis; vomits; threw up; throwing up
Weight loss: lost weight; losing weight; loses weight; wt loss
Wheezing: wheezes; wheezy
Wide intermamillary distance: wide-set nipples; widely set nipples
Widely-spaced maxillary central incisors: gap between the upper front teeth
"""


def listed(table: str) -> dict[str, tuple[str, ...]]:
    """Return the name that begins each line of a table, and what the line lists."""
    lines = table.strip().replace("\n    ", " ").splitlines()
    parts = (line.partition(": ") for line in lines)
    return {name: tuple(one.strip() for one in others.split(";")) for name, _, others in parts}
