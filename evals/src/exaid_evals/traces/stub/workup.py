"""Tests that doctors ask for, by field of medicine. Written by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Test:
    """A test and what it is for.

    Attributes:
        name: with its short form, if it has one.
        aim: completes "to …".
    """

    name: str
    aim: str


# field | test | aim
_TABLE = """
any | whole exome sequencing (WES) | look for a monogenic cause without fixing the gene in advance
any | a targeted gene panel | confirm the leading hypothesis at the molecular level
any | chromosomal microarray analysis (CMA) | exclude a copy number variant
any | a complete blood count (CBC) with differential | set a baseline and look for cytopenias
any | C-reactive protein (CRP) and erythrocyte sedimentation rate (ESR) | tell inflammatory from structural disease
any | a three-generation pedigree | clarify the mode of inheritance
any | a comprehensive metabolic panel (CMP) | look at liver and kidney function and electrolytes
neuro | magnetic resonance imaging (MRI) of the brain with contrast | map structural lesions and white matter changes
neuro | electroencephalography (EEG) | document epileptiform activity
neuro | lumbar puncture with analysis of the cerebrospinal fluid (CSF) | exclude infection and inflammation
neuro | nerve conduction studies and electromyography (EMG) | separate neuropathy from myopathy
neuro | serum lactate, pyruvate and creatine kinase (CK) | screen for a mitochondrial or muscle disorder
cardiac | transthoracic echocardiography (TTE) | define anatomy and ventricular function
cardiac | cardiac magnetic resonance imaging (CMR) | characterize the myocardium
cardiac | a 24-hour Holter electrocardiogram (ECG) | look for arrhythmia
cardiac | N-terminal pro-B-type natriuretic peptide (NT-proBNP) and troponin | quantify myocardial strain and injury
cardiac | computed tomography angiography (CTA) | delineate the vessels
renal | urinalysis with microscopy and a protein-to-creatinine ratio | look for glomerular disease
renal | renal ultrasonography | assess size, cysts and the collecting system
renal | a renal biopsy with immunofluorescence | classify the lesion
renal | serum complement C3 and C4 | look for an immune-complex process
hepatic | liver function tests (LFTs) and gamma-glutamyl transferase (GGT) | classify the liver injury
hepatic | magnetic resonance cholangiopancreatography (MRCP) | outline the bile ducts
hepatic | a liver biopsy | establish the histological pattern
hepatic | abdominal Doppler ultrasonography | examine hepatic and portal flow
blood | a peripheral blood smear | look at cell morphology
blood | a bone marrow aspirate and biopsy | assess cellularity and exclude infiltration
blood | flow cytometry of peripheral blood | identify an abnormal clone
blood | a coagulation profile with factor assays | define a bleeding or clotting tendency
skin | a skin biopsy with direct immunofluorescence (DIF) | establish the histological diagnosis
skin | dermoscopy of the lesions | examine pattern and borders
skin | antinuclear antibodies (ANA) and an extended autoantibody panel | look for connective tissue disease
eye | optical coherence tomography (OCT) | examine the retinal layers
eye | full-field electroretinography (ERG) | test rod and cone function
eye | slit-lamp examination with tonometry | assess anterior segment and pressure
bone | a complete skeletal survey | look for a recognizable dysplasia
bone | serum calcium, phosphate and alkaline phosphatase (ALP) | exclude a metabolic bone disorder
bone | dual-energy X-ray absorptiometry (DXA) | measure bone mineral density
endocrine | thyroid function tests (TFTs) | exclude thyroid disease
endocrine | morning cortisol with adrenocorticotropic hormone (ACTH) | test the adrenal axis
endocrine | luteinizing hormone (LH) and follicle-stimulating hormone (FSH) | find the level of gonadal failure
endocrine | MRI of the pituitary | exclude a structural lesion of the gland
metabolic | plasma amino acids and urine organic acids | screen for an inborn error of metabolism
metabolic | an acylcarnitine profile | look for a fatty acid oxidation defect
metabolic | plasma ammonia and lactate | detect a metabolic crisis
metabolic | lysosomal enzyme assays in leukocytes | look for a storage disorder
lung | high-resolution computed tomography (HRCT) of the chest | characterize the parenchyma
lung | bronchoscopy with bronchoalveolar lavage (BAL) | look for infection and cell profile
lung | pulmonary function tests (PFTs) | quantify restriction and obstruction
lung | nasal nitric oxide measurement | screen for a ciliary disorder
gut | esophagogastroduodenoscopy (EGD) with biopsies | inspect and sample the upper tract
gut | colonoscopy with biopsies | exclude inflammatory bowel disease
gut | contrast-enhanced computed tomography (CT) of the abdomen | define the anatomy
gut | fecal calprotectin | detect mucosal inflammation
immune | quantitative immunoglobulins (IgG, IgA, IgM, IgE) | detect an antibody deficiency
immune | lymphocyte subsets | look for a cellular immune defect
immune | serum tryptase and complement levels | separate mast cell from bradykinin mediated disease
immune | repeated blood cultures | exclude bloodstream infection
joint | antineutrophil cytoplasmic antibodies (ANCA) | look for vasculitis
joint | rheumatoid factor (RF) and anti-cyclic citrullinated peptide (anti-CCP) | exclude rheumatoid arthritis
joint | ultrasonography of the affected joints | show synovitis or effusion
joint | a muscle biopsy | separate inflammatory from hereditary myopathy
tumor | positron emission tomography with CT (PET-CT) | stage the disease and find a site for biopsy
tumor | a core biopsy with immunohistochemistry (IHC) | establish the tumor's lineage
tumor | serum tumor markers | provide a baseline and narrow the differential
ear | pure-tone audiometry and auditory brainstem responses (ABR) | separate conductive from sensorineural loss
ear | CT of the temporal bones | look for a malformation of the inner ear
ear | flexible nasolaryngoscopy | inspect the airway
tooth | a panoramic radiograph (OPG) | examine tooth germs and jaws
tooth | cone-beam computed tomography (CBCT) | define the extent of the lesion
tooth | an incisional biopsy of the oral lesion | establish the histological diagnosis
sex | pelvic ultrasonography | examine uterus, ovaries or testes
sex | a karyotype | exclude a sex chromosome abnormality
sex | voiding cystourethrography (VCUG) | look for reflux and obstruction
sex | anti-Müllerian hormone (AMH) | estimate gonadal reserve
infection | polymerase chain reaction (PCR) for the suspected pathogens | prove the infection directly
infection | paired serology | show a rise of antibodies
infection | cultures of blood and of the affected site | isolate the organism
toxic | a toxicology screen of blood and urine | detect the exposure
toxic | arterial blood gas (ABG) with anion and osmolar gap | look for an unmeasured toxin
toxic | methemoglobin and carboxyhemoglobin levels | exclude a dyshemoglobinemia
birth | detailed fetal or neonatal ultrasonography | look for further malformations
birth | TORCH serology | exclude a congenital infection
birth | a review of exposures in the first trimester | identify a teratogen
"""

# How MAC's and the synthetic cases' categories begin → fields, the most telling first.
_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("neuro", ("neuro",)),
    ("card", ("cardiac",)),
    ("circul", ("cardiac", "blood")),
    ("thoracic", ("lung", "cardiac")),
    ("resp", ("lung",)),
    ("renal", ("renal",)),
    ("hepat", ("hepatic",)),
    ("haemat", ("blood",)),
    ("skin", ("skin",)),
    ("ophth", ("eye",)),
    ("bone", ("bone",)),
    ("endocr", ("endocrine",)),
    ("inborn", ("metabolic",)),
    ("gastro", ("gut", "hepatic")),
    ("abdom", ("gut", "hepatic")),
    ("immun", ("immune", "infection")),
    ("allerg", ("immune", "skin")),
    ("r", ("joint", "immune")),  # rheumatological, in several spellings
    ("neopl", ("tumor",)),
    ("otor", ("ear",)),
    ("odont", ("tooth",)),
    ("surgicalmax", ("tooth", "bone")),
    ("uro", ("sex", "renal")),
    ("gyn", ("sex", "tumor")),
    ("infert", ("sex", "endocrine")),
    ("infec", ("infection", "immune")),
    ("toxic", ("toxic",)),
    ("terat", ("birth",)),
    ("embryo", ("birth", "bone")),
    ("genetic", ("metabolic", "neuro")),
    ("transpl", ("blood", "infection")),
)


def _parse() -> dict[str, tuple[Test, ...]]:
    fields: dict[str, list[Test]] = {}
    for line in _TABLE.strip().splitlines():
        field, name, aim = (part.strip() for part in line.split("|"))
        fields.setdefault(field, []).append(Test(name, aim))
    return {field: tuple(tests) for field, tests in fields.items()}


_TESTS = _parse()


def tests_for(category: str) -> tuple[Test, ...]:
    """Return the tests of a category's fields, then those that any doctor may ask for."""
    fields = next((fields for start, fields in _FIELDS if category.startswith(start)), ())
    return tuple(test for field in (*fields, "any") for test in _TESTS[field])
