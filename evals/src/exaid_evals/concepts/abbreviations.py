"""What clinicians write for short: a line is a name that some vocabulary lists, and its short forms.

Those with a question mark have other meanings in notes, and count only where their company says which one is meant.
*N/V* may go on with */D*.
"""

SHORT_FORMS = """
abdominal aortic aneurysm: ?AAA
acute coronary syndrome: ACS
acute kidney injury: ?ARF
Adrenal hyperplasia: ?CAH
Agenesis of corpus callosum: ?ACC
amyotrophic lateral sclerosis: ?ALS
atrial fibrillation: AFib; AFIB; ?AF; atrial fib
Atrioventricular canal defect: AVSD
benign paroxysmal positional vertigo: BPPV
benign prostatic hyperplasia: BPH
Bicuspid aortic valve: ?BAV
chest pain: ?CP
chronic kidney disease: CKD
chronic lymphocytic leukemia: CLL
chronic obstructive pulmonary disease: COPD
Conductive hearing impairment: ?CHL
congestive heart failure: CHF; HFrEF; HFpEF
coronary artery disease: ?CAD
Cryptorchidism: ?UDT
cystic fibrosis: ?CF
deep venous thrombosis: DVT
diabetes mellitus: ?DM
diabetic ketoacidosis: DKA
diarrhea: /D
disseminated intravascular coagulation: ?DIC
dyspnea: SOB
end stage renal disease: ESRD; ESKD
exertional dyspnea: DOE; dyspnea on exertion
Exotropia: ?XT
gastroesophageal reflux disease: GERD; GORD; ?GOR
gastrointestinal hemorrhage: GIB; UGIB; LGIB; GI bleed; GI bleeding
generalized anxiety disorder: ?GAD
Growth hormone deficiency: GHD
headache: ?HA
hematochezia: BRBPR
Hemolytic-uremic syndrome: ?HUS
hepatocellular carcinoma: ?HCC
HIV infection: ?HIV
hyperlipidemia: HLD
hypertension: HTN
Hypoplastic left heart: HLHS
Inflammatory Bowel Diseases: ?IBD
intracranial hemorrhage: ?ICH
intrauterine growth retardation: IUGR; FGR
Intraventricular hemorrhage: IVH
irritable bowel syndrome: ?IBS
Large for gestational age: ?LGA
left bundle branch block: LBBB
left ventricular hypertrophy: LVH
Left ventricular outflow tract obstruction: LVOTO
Loss of consciousness: ?LOC
low back pain: LBP
major depressive disorder: ?MDD
mitral regurgitation: ?MR
mitral valve prolapse: ?MVP
multiple sclerosis: ?MS
myocardial infarction: ?MI; AMI
nausea and vomiting: N/V
Necrotizing enterocolitis: ?NEC
obstructive sleep apnea: OSA
Optic nerve hypoplasia: ?ONH
osteoarthritis: ?OA; DJD
Parkinson disease: ?PD
paroxysmal nocturnal dyspnea: ?PND
patent foramen ovale: PFO
pelvic inflammatory disease: ?PID
penicillins: PCN
Peripheral Arterial Disease: ?PAD
Peripheral Vascular Diseases: ?PVD
pneumonia: PNA
polycystic ovary syndrome: PCOS
Premature ventricular contraction: PVCs
Progressive external ophthalmoplegia: ?PEO
Prolonged QT interval: LQTS
pulmonary arterial hypertension: ?PAH
pulmonary embolism: ?PE
renal cell carcinoma: ?RCC
Respiratory distress syndrome: ?RDS
respiratory syncytial virus infection: ?RSV
Restless legs: ?RLS
Retinopathy of prematurity: ROP
rheumatoid arthritis: ?RA
right bundle branch block: RBBB
Rod-cone dystrophy: ?RP
Sensorineural hearing impairment: SNHL
small for gestational age: SGA
stroke: ?CVA
subarachnoid hemorrhage: ?SAH
subdural hemorrhage: ?SDH
Talipes equinovarus: CTEV
Tetralogy of Fallot: ?TOF
transient ischemic attack: TIA
Transposition of the great arteries: ?TGA
traumatic brain injury: ?TBI
tricuspid regurgitation: ?TR
tuberculosis: ?TB
type 1 diabetes mellitus: T1DM; DM1; DMI
type 2 diabetes mellitus: T2DM; DM2; DMII
upper respiratory tract infection: ?URI; URTI
urinary tract infection: UTI
ventricular fibrillation: VFib; V-fib
ventricular tachycardia: ?VT; VTach; V-tach
"""
